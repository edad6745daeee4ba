"""What a pod needs next: a table of situations, and a small runtime in which every decision must lead somewhere."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.cluster.objects.pod import Pod
from weft.kubelet.cri.model import ContainerRecord, PodRecord
from weft.kubelet.pods.backoff import Backoff, words
from weft.kubelet.pods.decide import Decision, Kill, backoff_key, decide

from .values import make_pod, record, run, sandbox


def choose(pod: Pod, found: PodRecord, **more: object) -> Decision:
    return decide(pod, found, **{"now": 1000.0, "backoff": Backoff(), **more})  # type: ignore[arg-type]


def starts(decision: Decision) -> list[tuple[str, int]]:
    return [(start.container.name, start.attempt) for start in decision.start]


def test_nothing_there_yet() -> None:
    decision = choose(make_pod(), PodRecord())
    assert decision.sandbox_attempt == 0 and starts(decision) == [("main", 0)]


def test_init_containers_come_first_and_alone() -> None:
    pod = make_pod(initContainers=[{"name": "one", "image": "i"}, {"name": "two", "image": "i"}])
    assert starts(choose(pod, PodRecord())) == [("one", 0)]
    assert starts(choose(pod, record(run(pod, "one")))) == []
    assert starts(choose(pod, record(run(pod, "one", "exited")))) == [("two", 0)]
    done = record(run(pod, "one", "exited"), run(pod, "two", "exited"))
    assert starts(choose(pod, done)) == [("main", 0)]
    assert starts(choose(pod, record(*done.containers, run(pod, "main", "exited", 0, 1)))) == [("main", 1)]


def test_a_failed_init_container_fails_a_pod_that_never_restarts() -> None:
    pod = make_pod(initContainers=[{"name": "one", "image": "i"}], restartPolicy="Never")
    assert choose(pod, record(run(pod, "one", "exited", 0, 1))).kill_pod


def test_init_containers_run_again_in_a_new_sandbox() -> None:
    pod = make_pod(initContainers=[{"name": "one", "image": "i"}])
    found = record(run(pod, "main"), run(pod, "one", "exited"), sandboxes=(sandbox(ready=False),))
    decision = choose(pod, found)
    assert decision.sandbox_attempt == 1 and starts(decision) == [("one", 1)]
    fresh = record(*found.containers, sandboxes=(sandbox(1),))
    assert starts(choose(pod, fresh)) == [("one", 1)]


@pytest.mark.parametrize(
    ("policy", "code", "expected"),
    [("Always", 0, [("main", 1)]), ("OnFailure", 0, []), ("OnFailure", 1, [("main", 1)]), ("Never", 1, [])],
)
def test_restart_policies(policy: str, code: int, expected: list[tuple[str, int]]) -> None:
    pod = make_pod(restartPolicy=policy)
    decision = choose(pod, record(run(pod, "main", "exited", 0, code)))
    assert starts(decision) == expected and decision.kill_pod == (not expected)


def test_back_off_says_how_long() -> None:
    pod, backoff = make_pod(), Backoff()
    key = backoff_key(pod, pod.spec.containers[0])
    assert starts(choose(pod, record(run(pod, "main", "exited", 0, 1)), now=100.0, backoff=backoff)) == [("main", 1)]
    backoff.next(key, 100.0, 100.0)
    again = record(run(pod, "main", "exited", 1, 1, finished_at=101.0))
    decision = choose(pod, again, now=102.0, backoff=backoff)
    assert decision.start == () and decision.wake_at == 111.0
    assert decision.waiting["main"].message == "back-off 10s restarting failed container=main pod=web_default(uid-1)"
    assert starts(choose(pod, again, now=111.0, backoff=backoff)) == [("main", 2)]


def test_delays_double_and_are_forgotten() -> None:
    backoff = Backoff()
    assert [backoff.next("k", t, t) for t in range(7)] == [10, 20, 40, 80, 160, 300, 300]
    assert backoff.next("k", 1000.0, 1000.0) == 10
    assert [words(s) for s in (10, 80, 300, 3661)] == ["10s", "1m20s", "5m0s", "1h1m1s"]


def test_another_image_or_a_failed_probe_replaces_the_container() -> None:
    pod = make_pod()
    old = run(pod, "main", hash="other")
    assert choose(pod, record(old)).kill[0].message == "Container main definition changed, will be restarted"
    sick = run(pod, "main")
    kill = Kill(sick, "sick", 5)
    assert choose(pod, record(sick), failing={sick.id: kill}).kill == (kill,)


def test_a_container_that_was_never_started_is_made_again() -> None:
    pod = make_pod()
    (start,) = choose(pod, record(run(pod, "main", "created", 3))).start
    assert start.attempt == 3 and start.leftover == "main-3"


def test_sidecars() -> None:
    side = {"name": "side", "image": "i", "restartPolicy": "Always", "startupProbe": {"exec": {}}}
    pod = make_pod(initContainers=[side], restartPolicy="Never")
    assert starts(choose(pod, record(run(pod, "side")))) == []
    assert starts(choose(pod, record(run(pod, "side")), started=frozenset(["side-0"]))) == [("main", 0)]
    crashed = record(run(pod, "side", "exited", 0, 1), run(pod, "main"))
    assert starts(choose(pod, crashed)) == [("side", 1)]
    assert choose(pod, record(run(pod, "side"), run(pod, "main", "exited"))).kill_pod


def test_deleting_pods_start_nothing() -> None:
    pod = make_pod(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})
    assert choose(pod, record(run(pod, "main", "exited"))).start == ()


class Machine:
    """Carries decisions out, as the worker does, and checks what must always hold."""

    def __init__(self, pod: Pod) -> None:
        self.pod, self.record, self.now, self.backoff = pod, PodRecord(), 0.0, Backoff()
        self.over = False

    def step(self) -> Decision:
        decision = decide(self.pod, self.record, now=self.now, backoff=self.backoff, started=frozenset(
            c.id for c in self.record.running()
        ))  # fmt: skip
        containers = list(self.record.containers)
        sandboxes = self.record.sandboxes
        if decision.kill_pod:
            self.over = True
        if decision.sandbox_attempt is not None:
            containers = [self._ended(c, 137) for c in containers]
            sandboxes = (sandbox(decision.sandbox_attempt), *(replace(s, ready=False) for s in sandboxes))
        for start in decision.start:
            if start.failed_at:
                self.backoff.next(backoff_key(self.pod, start.container), start.failed_at, self.now)
            assert not any(c.name == start.container.name and c.phase == "running" for c in containers)
            made = run(self.pod, start.container.name, "running", start.attempt, sandbox_id=sandboxes[0].id)
            assert made.id not in {c.id for c in containers}
            containers.insert(0, made)
        self.record = PodRecord(sandboxes, tuple(containers))
        self._check()
        return decision

    def exit(self, index: int, code: int) -> None:
        running = self.record.running()
        if running:
            chosen = running[index % len(running)]
            self.record = PodRecord(
                self.record.sandboxes,
                tuple(self._ended(c, code) if c is chosen else c for c in self.record.containers),
            )

    def _ended(self, found: ContainerRecord, code: int) -> ContainerRecord:
        return (
            replace(found, phase="exited", exit_code=code, finished_at=self.now) if found.phase == "running" else found
        )

    def _check(self) -> None:
        names = [c.name for c in self.record.running()]
        assert len(names) == len(set(names))
        inits = [c.name for c in self.pod.spec.init_containers or ()]
        assert not (set(names) & set(inits) and set(names) - set(inits))


@settings(max_examples=150, deadline=None)
@given(
    policy=st.sampled_from(["Always", "OnFailure", "Never"]),
    inits=st.integers(0, 2),
    mains=st.integers(1, 2),
    script=st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0, 1]), st.booleans()), max_size=12),
)
def test_every_history_ends_well(policy: str, inits: int, mains: int, script: list[tuple[int, int, bool]]) -> None:
    pod = make_pod(
        *({"name": f"m{i}", "image": "a"} for i in range(mains)),
        initContainers=[{"name": f"i{i}", "image": "a"} for i in range(inits)],
        restartPolicy=policy,
    )
    machine = Machine(pod)
    for index, code, reboot in script:
        machine.step()
        machine.now += 1
        machine.exit(index, code)
        if reboot and machine.record.sandboxes and not machine.over:
            first, *rest = machine.record.sandboxes
            machine.record = PodRecord((replace(first, ready=False), *rest), machine.record.containers)
    for _ in range(8):  # from here on nothing goes wrong: init containers succeed, time passes
        machine.step()
        machine.now += 400
        for container in machine.record.running():
            if container.name.startswith("i"):
                machine.exit(machine.record.running().index(container), 0)
    if not machine.over:
        assert len(machine.record.running()) >= (1 if policy != "Always" else mains)
    if policy == "Always":
        assert not machine.over
