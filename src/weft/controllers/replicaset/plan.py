"""What a ReplicaSet needs: pods to make, pods to delete, and the status to tell. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from weft.cluster.objects.selector import equality_matches
from weft.cluster.objects.timestamps import format_time
from weft.cluster.port import Object
from weft.controllers.pods import available_in, deletion_order, is_ready

BURST = 500
"""Pods made or deleted in one go."""


@dataclass(frozen=True, slots=True)
class Decision:
    create: int = 0
    delete: tuple[Object, ...] = ()


def decide(replica_set: Object, active: Sequence[Object], related: Sequence[Object], now: float) -> Decision:
    """`active` are its pods that neither finished nor are going away."""
    wanted = replicas(replica_set)
    if replica_set["metadata"].get("deletionTimestamp") or len(active) == wanted:
        return Decision()
    if len(active) < wanted:
        return Decision(create=min(wanted - len(active), BURST))
    surplus = min(len(active) - wanted, BURST)
    return Decision(delete=tuple(deletion_order(active, related, now)[:surplus]))


def replicas(obj: Object) -> int:
    value = obj["spec"].get("replicas")
    return 1 if value is None else int(value)


def slow_start(count: int) -> Iterator[int]:
    """Batches of 1, 2, 4 …: what will fail for all is tried once only."""
    size = 1
    while count > 0:
        batch = min(size, count)
        yield batch
        count -= batch
        size *= 2


def status(
    replica_set: Object, active: Sequence[Object], terminating: int, failure: Exception | None, now: float
) -> Object:
    """The status after a sync; equal to the old one where nothing has changed."""
    spec = replica_set["spec"]
    labels = (spec["template"].get("metadata") or {}).get("labels")
    minimum = spec.get("minReadySeconds") or 0
    counts = {
        "replicas": len(active),
        "fullyLabeledReplicas": sum(equality_matches(labels, pod["metadata"].get("labels")) for pod in active),
        "readyReplicas": sum(map(is_ready, active)),
        "availableReplicas": sum(available_in(pod, minimum, now) == 0 for pod in active),
        "terminatingReplicas": terminating,
        "observedGeneration": replica_set["metadata"].get("generation", 0),
    }
    # Zero counts are left out of the stored form, except the two that have no omitempty.
    made = {k: v for k, v in counts.items() if v or k in ("replicas", "terminatingReplicas")}
    if conditions := _conditions(replica_set, len(active), failure, now):
        made["conditions"] = conditions
    return made


def _conditions(replica_set: Object, have: int, failure: Exception | None, now: float) -> list[Object]:
    old = list((replica_set.get("status") or {}).get("conditions") or ())
    known = any(entry["type"] == "ReplicaFailure" for entry in old)
    if failure is None:
        return [entry for entry in old if entry["type"] != "ReplicaFailure"]
    if known:
        return old
    return [
        *old,
        {
            "type": "ReplicaFailure",
            "status": "True",
            "lastTransitionTime": format_time(now),
            "reason": "FailedCreate" if have < replicas(replica_set) else "FailedDelete",
            "message": str(failure),
        },
    ]


def recheck_after(replica_set: Object, active: Sequence[Object], now: float) -> float | None:
    """Seconds until the next ready pod becomes available; None where none is waited for."""
    minimum = replica_set["spec"].get("minReadySeconds") or 0
    waits = [wait for pod in active if (wait := available_in(pod, minimum, now))]
    return min(waits, default=None)
