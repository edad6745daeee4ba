from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from weft.cluster.objects.timestamps import format_time
from weft.cluster.port import Object
from weft.controllers.daemonset import history, plan
from weft.controllers.daemonset.placement import belongs, daemon_tolerations, new_pod, node_of

NOW = 1_800_000_000.0


def node(name: str, *taints: tuple[str, str], **labels: str) -> Object:
    spec = {"taints": [{"key": key, "effect": effect} for key, effect in taints]}
    return {"metadata": {"name": name, "labels": labels}, "spec": spec}


def daemon_set(unavailable: Any = 1, surge: Any = 0, **template: Any) -> Object:
    rolling = {"maxUnavailable": unavailable, "maxSurge": surge}
    return {
        "metadata": {"name": "agent", "namespace": "kube-system", "uid": "ds", "generation": 2},
        "spec": {
            "selector": {"matchLabels": {"app": "agent"}},
            "template": {"metadata": {"labels": {"app": "agent"}}, "spec": template},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": rolling},
        },
    }


def pod(name: str, on: str, revision: str = "new", *, ready: bool = True, **changes: Any) -> Object:
    condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": format_time(NOW - 100)}
    return {
        "metadata": {
            "name": name, "namespace": "kube-system", "uid": name,
            "labels": {"app": "agent", "controller-revision-hash": revision}, **changes,
        },
        "spec": {"nodeName": on},
        "status": {"phase": "Running", "conditions": [condition]},
    }  # fmt: skip


def test_where_daemon_pods_belong() -> None:
    assert belongs(daemon_set(), node("n")) == (True, True)
    assert belongs(daemon_set(nodeSelector={"disk": "ssd"}), node("n")) == (False, False)
    assert belongs(daemon_set(), node("n", ("mine", "NoSchedule"))) == (False, True)
    assert belongs(daemon_set(), node("n", ("mine", "NoExecute"))) == (False, False)
    for key in ("not-ready", "unreachable"):
        assert belongs(daemon_set(), node("n", (f"node.kubernetes.io/{key}", "NoExecute"))) == (True, True)
    network = ("node.kubernetes.io/network-unavailable", "NoSchedule")
    assert belongs(daemon_set(), node("n", network)) == (False, True)
    assert belongs(daemon_set(hostNetwork=True), node("n", network)) == (True, True)


def test_a_daemon_pod_is_tied_to_its_node() -> None:
    made = new_pod(daemon_set(), {"name": "agent", "uid": "ds"}, "h", "n1")
    assert node_of(made) == "n1"
    assert made["metadata"]["labels"] == {"app": "agent", "controller-revision-hash": "h"}
    assert made["spec"]["tolerations"] == daemon_tolerations({})
    assert node_of({"spec": {}}) == ""


def test_one_pod_per_node() -> None:
    nodes = {name: node(name) for name in ("a", "b", "c", "d")} | {"e": node("e", ("mine", "NoExecute"))}
    failed = {**pod("failed", "c"), "status": {"phase": "Failed"}}
    pods = [pod("b1", "b"), pod("b2", "b"), failed, pod("leaving", "d", deletionTimestamp="x"), pod("e1", "e")]
    changes = plan.manage(daemon_set(), plan.by_node(pods, nodes), nodes, "new")
    assert changes.create == ["a"], "d waits until its pod is gone"
    assert sorted(each["metadata"]["name"] for each in changes.delete) == ["b2", "e1", "failed"]
    assert changes.failed == [failed]


def test_status() -> None:
    nodes = {"a": node("a"), "b": node("b"), "c": node("c", ("mine", "NoSchedule"))}
    pods = [pod("a1", "a"), pod("c1", "c", "old")]
    assert plan.status(daemon_set(), plan.by_node(pods, nodes), nodes, "new", NOW) == {
        "currentNumberScheduled": 1, "numberMisscheduled": 1, "desiredNumberScheduled": 2, "numberReady": 1,
        "observedGeneration": 2, "updatedNumberScheduled": 1, "numberAvailable": 1, "numberUnavailable": 1,
    }  # fmt: skip


@given(st.integers(1, 8), st.integers(0, 4), st.booleans(), st.randoms())
def test_rolling_keeps_enough_pods_and_ends(count: int, limit: int, surges: bool, chance: Any) -> None:
    rolled = daemon_set(0, max(limit, 1)) if surges else daemon_set(limit)
    allowed = 0 if surges else max(limit, 1)
    nodes = {f"n{number}": node(f"n{number}") for number in range(count)}
    pods = [pod(f"p{number}", f"n{number}", "old") for number in range(count)]
    for turn in range(200):
        placed = plan.by_node(pods, nodes)
        changes = plan.manage(rolled, placed, nodes, "new")
        if not (changes.create or changes.delete):
            changes = plan.roll(rolled, placed, nodes, "new", NOW)
        gone = {each["metadata"]["uid"] for each in changes.delete}
        pods = [each for each in pods if each["metadata"]["uid"] not in gone]
        serving = {each["spec"]["nodeName"] for each in pods if plan.available_in(each, 0, NOW) == 0}
        assert len(serving) >= count - allowed
        pods += [pod(f"q{turn}-{name}", name, ready=False) for name in changes.create]
        if surges:
            assert len(pods) <= count + max(limit, 1)
        for index, each in enumerate(pods):
            if chance.random() < 0.5:
                meta = each["metadata"]
                labels = meta["labels"]
                pods[index] = pod(meta["name"], each["spec"]["nodeName"], labels["controller-revision-hash"])
        if len(pods) == count and all(plan.is_updated(each, "new") for each in pods):
            return
    raise AssertionError("the rollout does not end")


def test_history() -> None:
    first = daemon_set(image="1")
    one = history.new_revision(first, 1)
    second = daemon_set(image="2")
    current, old = history.split_current_and_old(second, [one])
    assert current is None
    assert history.next_number(old) == 2
    two = history.new_revision(second, 2)
    assert history.split_current_and_old(first, [one, two])[0] is one
    assert one["data"]["spec"]["template"]["$patch"] == "replace"
    first["spec"]["revisionHistoryLimit"] = 0
    assert history.surplus(first, [one, two], [history.hash_of(two)]) == [one]
