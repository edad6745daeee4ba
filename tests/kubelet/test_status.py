"""Phases, conditions, container statuses, and the patch between two statuses."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.cluster.objects.pod import Pod, PodStatus
from weft.kubelet.cri.model import PodRecord
from weft.kubelet.pods.decide import Waiting
from weft.kubelet.status.compose import compose, render, status_patch
from weft.kubelet.status.containers import Health, View

from .values import make_pod, record, run, sandbox

NOW = "2026-01-01T00:00:00Z"


def status(pod: Pod, found: PodRecord, *, ready: bool = True, over: bool = False, **more: Any) -> PodStatus:
    running = frozenset(c.id for c in found.running())
    view = View(pod, found, health=Health(running, running if ready else frozenset()), **more)
    return compose(view, ("192.168.0.1",), NOW, over=over)


def conditions(found: PodStatus) -> dict[str, tuple[str, str]]:
    return {c.type: (c.status, c.reason) for c in found.conditions or ()}


def test_a_pod_that_runs() -> None:
    pod = make_pod()
    found = status(pod, record(run(pod, "main")))
    assert found.phase == "Running" and found.pod_ip == "10.0.0.9" and found.host_ip == "192.168.0.1"
    assert set(conditions(found).values()) == {("True", "")}
    (told,) = render(found)["containerStatuses"]
    assert told == {
        "name": "main", "ready": True, "started": True, "restartCount": 0, "image": "a:1", "imageID": "",
        "containerID": "containerd://main-0", "lastState": {},
        "state": {"running": {"startedAt": "1970-01-01T00:00:10Z"}},
    }  # fmt: skip


def test_a_pod_that_is_yet_to_come() -> None:
    pod = make_pod()
    found = status(pod, PodRecord())
    assert found.phase == "Pending"
    assert conditions(found)["PodReadyToStartContainers"] == ("False", "")
    assert conditions(found)["Ready"] == ("False", "ContainersNotReady")
    assert found.conditions is not None
    assert found.conditions[2].message == "containers with unready status: [main]"
    (told,) = render(found)["containerStatuses"]
    assert told["state"] == {"waiting": {"reason": "ContainerCreating"}} and told["restartCount"] == 0


@pytest.mark.parametrize(
    ("policy", "codes", "over", "phase"),
    [
        ("Always", (0, 0), False, "Running"),
        ("Always", (0, 0), True, "Succeeded"),
        ("Always", (1, 0), True, "Failed"),
        ("OnFailure", (0, 0), False, "Succeeded"),
        ("OnFailure", (0, 2), False, "Running"),
        ("Never", (0, 2), False, "Failed"),
        ("Never", (0, 0), False, "Succeeded"),
    ],
)
def test_phases_of_ended_containers(policy: str, codes: tuple[int, int], over: bool, phase: str) -> None:
    pod = make_pod({"name": "a"}, {"name": "b"}, restartPolicy=policy)
    found = record(run(pod, "a", "exited", 0, codes[0]), run(pod, "b", "exited", 0, codes[1]))
    assert status(pod, found, over=over).phase == phase


def test_init_containers() -> None:
    pod = make_pod(initContainers=[{"name": "one", "image": "i"}])
    begun = status(pod, record(run(pod, "one")))
    assert begun.phase == "Pending" and conditions(begun)["Initialized"] == ("False", "ContainersNotInitialized")
    (told,) = render(begun)["containerStatuses"]
    assert told["state"]["waiting"]["reason"] == "PodInitializing"
    done = status(pod, record(run(pod, "one", "exited"), run(pod, "main")))
    assert done.phase == "Running" and conditions(done)["Initialized"] == ("True", "")
    failed = make_pod(initContainers=[{"name": "one", "image": "i"}], restartPolicy="Never")
    assert status(failed, record(run(failed, "one", "exited", 0, 1))).phase == "Failed"


def test_waiting_reasons_keep_the_last_state() -> None:
    pod = make_pod()
    found = status(pod, record(run(pod, "main", "exited", 2, 1)), waiting={"main": Waiting("CrashLoopBackOff", "why")})
    (told,) = render(found)["containerStatuses"]
    assert told["state"] == {"waiting": {"reason": "CrashLoopBackOff", "message": "why"}}
    assert told["lastState"]["terminated"]["exitCode"] == 1 and told["restartCount"] == 2
    assert found.phase == "Running"


def test_a_container_that_vanished_was_lost() -> None:
    pod = make_pod()
    before = status(pod, record(run(pod, "main")))
    after = status(msgspec.structs.replace(pod, status=before), record())
    (told,) = render(after)["containerStatuses"]
    assert told["lastState"]["terminated"]["reason"] == "ContainerStatusUnknown" and told["restartCount"] == 1


def test_readiness_gates_and_foreign_conditions() -> None:
    foreign = {"type": "example.com/gate", "status": "False"}
    pod = make_pod(readinessGates=[{"conditionType": "example.com/gate"}], status={"conditions": [foreign]})
    found = status(pod, record(run(pod, "main")))
    assert conditions(found)["Ready"] == ("False", "ReadinessGatesNotReady")
    assert conditions(found)["ContainersReady"] == ("True", "")
    assert "example.com/gate" not in conditions(found)


def test_transition_times_stay_while_the_status_does() -> None:
    pod = make_pod()
    first = status(pod, record(run(pod, "main")))
    view = View(msgspec.structs.replace(pod, status=first), record(run(pod, "main")), health=Health())
    later = compose(view, ("192.168.0.1",), "2026-02-02T00:00:00Z")
    times = {c.type: c.last_transition_time for c in later.conditions or ()}
    assert times["Initialized"] == NOW and times["Ready"] == "2026-02-02T00:00:00Z"


def test_terminal_phases_are_final() -> None:
    pod = make_pod(status={"phase": "Failed", "reason": "Evicted"})
    found = status(pod, record(run(pod, "main")))
    assert found.phase == "Failed" and found.reason == "Evicted"


_situations = st.sampled_from(["none", "created", "running", "exited0", "exited1", "new sandbox"])


def situation(pod: Pod, word: str) -> PodRecord:
    if word == "none":
        return PodRecord()
    if word == "new sandbox":
        return record(run(pod, "main"), sandboxes=(sandbox(1, address="10.0.0.10"),))
    phase, code = ("exited", int(word[-1])) if word.startswith("exited") else (word, 0)
    return record(run(pod, "main", phase, 0, code))


@given(_situations, _situations, st.booleans(), st.booleans())
def test_a_patch_leads_from_one_status_to_the_next(one: str, two: str, ready: bool, waits: bool) -> None:
    pod = make_pod(status={"conditions": [{"type": "x.example/own", "status": "True"}]})
    first = status(pod, situation(pod, one))
    waiting = {"main": Waiting("ErrImagePull", "no")} if waits else {}
    second = status(msgspec.structs.replace(pod, status=first), situation(pod, two), ready=ready, waiting=waiting)
    merged = merge(render(first), status_patch(first, second))
    assert merged == render(second)
    assert status_patch(second, second) == {}


def merge(target: Any, patch: dict[str, Any]) -> dict[str, Any]:
    """A strategic merge, for the fields of a pod's status."""
    result = dict(target)
    keys = {"conditions": "type", "podIPs": "ip", "hostIPs": "ip"}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif name in keys:
            entries = {entry[keys[name]]: entry for entry in result.get(name, [])}
            for entry in value:
                if entry.get("$patch") == "delete":
                    entries.pop(entry[keys[name]], None)
                else:
                    known = entries.get(entry[keys[name]], {})
                    entries[entry[keys[name]]] = {k: v for k, v in {**known, **entry}.items() if v is not None}
            result[name] = list(entries.values())
        else:
            result[name] = value
    return result
