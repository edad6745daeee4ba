from typing import Any

from weft.cluster.objects.timestamps import format_time
from weft.cluster.port import Object
from weft.controllers.nodelifecycle.plan import Signs, eviction_in, grace, signs, silenced, taints

NOW = 1_800_000_000.0


def node(ready: str | None = "True", heartbeat: str = "t1", **spec: Any) -> Object:
    conditions = [{"type": "Ready", "status": ready, "lastHeartbeatTime": heartbeat}] if ready else []
    return {"metadata": {"name": "n", "creationTimestamp": "c"}, "spec": spec, "status": {"conditions": conditions}}


def keys(found: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(taint["key"].removeprefix("node.kubernetes.io/"), taint["effect"]) for taint in found}


def test_only_changes_are_signs_of_life() -> None:
    first = signs(None, node(), None, 10)
    assert signs(first, node(), None, 20) is first
    assert signs(first, node(), {"spec": {"renewTime": "x"}}, 20).at == 20
    assert signs(first, node(heartbeat="t2"), None, 30) == Signs(("", "t2"), 30)
    assert (grace(node(None), 40), grace(node(), 40)) == (60, 40)


def test_a_silent_node_is_unknown_in_upstreams_words() -> None:
    told = {entry["type"]: entry for entry in silenced(node(), NOW)}
    assert told["Ready"]["status"] == "Unknown"
    assert (told["Ready"]["reason"], told["Ready"]["message"]) == (
        "NodeStatusUnknown", "Kubelet stopped posting node status.",
    )  # fmt: skip
    assert told["DiskPressure"]["reason"] == "NodeStatusNeverUpdated"
    assert told["DiskPressure"]["message"] == "Kubelet never posted node status."
    again = {**node(), "status": {"conditions": list(told.values())}}
    assert silenced(again, NOW + 5) == list(told.values())


def test_taints_follow_conditions_and_leave_others_alone() -> None:
    mine = {"key": "dedicated", "effect": "NoSchedule"}
    found = taints(node("Unknown", taints=[mine]), NOW, evict=True)
    assert keys(found) == {("dedicated", "NoSchedule"), ("unreachable", "NoSchedule"), ("unreachable", "NoExecute")}
    swapped = taints({**node("False", taints=found)}, NOW, evict=True)
    assert keys(swapped) == {("dedicated", "NoSchedule"), ("not-ready", "NoSchedule"), ("not-ready", "NoExecute")}
    assert taints(node("False", taints=swapped), NOW + 9, evict=True) == swapped
    assert taints(node("True", taints=swapped), NOW, evict=True) == [mine]
    assert keys(taints(node("True", unschedulable=True), NOW, evict=True)) == {("unschedulable", "NoSchedule")}
    assert keys(taints(node("Unknown"), NOW, evict=False)) == {("unreachable", "NoSchedule")}


def test_when_a_pod_must_leave() -> None:
    taint = {"key": "node.kubernetes.io/not-ready", "effect": "NoExecute", "timeAdded": format_time(NOW - 100)}

    def pod(*tolerations: dict[str, Any]) -> Object:
        return {"spec": {"tolerations": list(tolerations)}}

    any_ = {"operator": "Exists"}
    assert eviction_in(pod(), [taint], NOW, NOW) == 0
    assert eviction_in(pod(any_), [taint], NOW, NOW) is None
    assert eviction_in(pod({**any_, "tolerationSeconds": 300}), [taint], NOW, NOW) == 200
    assert (
        eviction_in(pod({**any_, "tolerationSeconds": 300}, {**any_, "tolerationSeconds": 120}), [taint], 0, NOW) == 20
    )
    assert eviction_in(pod({**any_, "tolerationSeconds": -1}), [taint], NOW, NOW) == 0
    assert eviction_in(pod({**any_, "tolerationSeconds": 60}), [{**taint, "timeAdded": None}], NOW, NOW) == 60
    assert eviction_in(pod(), [], NOW, NOW) is None
