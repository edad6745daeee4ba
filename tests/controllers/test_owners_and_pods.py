from typing import Any

from weft.cluster.objects.resource import REPLICA_SETS
from weft.cluster.objects.timestamps import format_time
from weft.cluster.port import Object
from weft.controllers.owners import adoption, claim, release
from weft.controllers.pods import available_in, deletion_order, pod_from_template
from weft.controllers.replicaset.plan import decide, recheck_after, slow_start, status

NOW = 1_800_000_000.0


def pod(name: str, *, node: str = "n1", phase: str = "Running", ready_for: float | None = 1000, **meta: Any) -> Object:
    conditions = []
    if ready_for is not None:
        conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": format_time(NOW - ready_for)}]
    return {
        "metadata": {
            "name": name, "namespace": "shop", "uid": name, "resourceVersion": "1",
            "creationTimestamp": format_time(NOW - 5000), "labels": {"app": "web"}, **meta,
        },
        "spec": {"nodeName": node},
        "status": {"phase": phase, "conditions": conditions},
    }  # fmt: skip


def replica_set(count: int, **spec: Any) -> Object:
    return {
        "metadata": {"name": "web", "namespace": "shop", "uid": "rs", "generation": 3},
        "spec": {
            "replicas": count,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {}},
            **spec,
        },
    }


def owned_by(uid: str) -> dict[str, Any]:
    return {
        "ownerReferences": [
            {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": uid, "uid": uid, "controller": True}
        ]
    }


def test_claims() -> None:
    mine, stray = pod("mine", **owned_by("rs")), pod("stray")
    lost = pod("lost", labels={"app": "db"}, **owned_by("rs"))
    theirs, leaving = pod("theirs", **owned_by("other")), pod("leaving", deletionTimestamp="x")
    sorted_ = claim(replica_set(1), [mine, stray, lost, theirs, leaving])
    assert (sorted_.mine, sorted_.adopt, sorted_.release) == ([mine], [stray], [lost])
    dying = replica_set(1)
    dying["metadata"]["deletionTimestamp"] = "x"
    sorted_ = claim(dying, [mine, stray, lost])
    assert (sorted_.mine, sorted_.adopt, sorted_.release) == ([mine], [], [])
    patch = adoption(REPLICA_SETS, replica_set(1), stray)["metadata"]
    assert (patch["resourceVersion"], patch["ownerReferences"][0]["uid"]) == ("1", "rs")
    assert release(replica_set(1), lost)["metadata"]["ownerReferences"] == []


def test_who_is_deleted_first() -> None:
    pods = [
        pod("old"),
        pod("crowded", node="n2"),
        pod("young", ready_for=3),
        pod("cheap", annotations={"controller.kubernetes.io/pod-deletion-cost": "-5"}),
        pod("sick", ready_for=None),
        pod("pending", phase="Pending", ready_for=None),
        pod("nowhere", node="", phase="Pending", ready_for=None),
    ]
    related = [*pods, *(pod(f"other{n}", node="n2") for n in range(8))]
    names = [each["metadata"]["name"] for each in deletion_order(pods, related, NOW)]
    assert names == ["nowhere", "pending", "sick", "cheap", "crowded", "young", "old"]


def test_replicas_are_made_and_deleted() -> None:
    assert decide(replica_set(3), [pod("a")], [], NOW).create == 2
    assert decide(replica_set(2000), [], [], NOW).create == 500
    surplus = decide(replica_set(1), [pod("a"), pod("b", ready_for=None)], [], NOW)
    assert [each["metadata"]["name"] for each in surplus.delete] == ["b"]
    dying = replica_set(3)
    dying["metadata"]["deletionTimestamp"] = "x"
    assert decide(dying, [], [], NOW).create == 0
    assert list(slow_start(10)) == [1, 2, 4, 3]


def test_status_counts_and_conditions() -> None:
    waiting = replica_set(3, minReadySeconds=10)
    pods = [pod("a"), pod("b", ready_for=4), pod("c", ready_for=None, labels={"app": "web", "more": "x"})]
    told = status(waiting, pods, 1, None, NOW)
    assert told == {
        "replicas": 3, "fullyLabeledReplicas": 3, "readyReplicas": 2, "availableReplicas": 1,
        "terminatingReplicas": 1, "observedGeneration": 3,
    }  # fmt: skip
    assert recheck_after(waiting, pods, NOW) == 6
    failed = status(waiting, pods[:2], 0, RuntimeError("quota"), NOW)
    (condition,) = failed["conditions"]
    assert (condition["type"], condition["reason"], condition["message"]) == ("ReplicaFailure", "FailedCreate", "quota")
    waiting["status"] = failed
    assert status(waiting, pods[:2], 0, RuntimeError("quota again"), NOW + 9)["conditions"] == [condition]
    assert "conditions" not in status(waiting, pods, 0, None, NOW)


def test_availability() -> None:
    assert available_in(pod("a", ready_for=None), 0, NOW) is None
    assert available_in(pod("a", ready_for=3), 0, NOW) == 0
    assert available_in(pod("a", ready_for=3), 5, NOW) == 2


def test_a_pod_takes_only_what_its_template_gives() -> None:
    template = {"metadata": {"labels": {"a": "b"}, "name": "ignored"}, "spec": {"x": 1}}
    made = pod_from_template(template, {"name": "web", "uid": "rs"}, "shop")
    assert made["metadata"] == {
        "generateName": "web-", "namespace": "shop", "labels": {"a": "b"},
        "ownerReferences": [{"name": "web", "uid": "rs"}],
    }  # fmt: skip
