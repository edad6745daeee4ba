"""What a Deployment's status tells: counts, and the conditions Available, Progressing and ReplicaFailure. Pure."""

from collections.abc import Sequence
from typing import Any

from weft.cluster.objects.timestamps import format_time, parse_time
from weft.cluster.port import Object
from weft.controllers.deployment.sizes import (
    NO_LIMIT,
    counted,
    is_complete,
    min_available,
    total,
    total_counted,
)

Conditions = list[dict[str, Any]]


def deadline(deployment: Object) -> int | None:
    """progressDeadlineSeconds, or None where progress is not watched."""
    seconds = deployment["spec"].get("progressDeadlineSeconds")
    return None if seconds is None or seconds == NO_LIMIT else int(seconds)


def status(
    deployment: Object, new: Object | None, old: Sequence[Object], now: float, *, rolling_out: bool, created: bool
) -> Object:
    """The status after a step; equal to the old one where nothing has changed. `created`: `new` was made just now."""
    before = deployment.get("status") or {}
    conditions: Conditions = list(before.get("conditions") or ())
    _note_pause(deployment, conditions, now)
    if new is not None:
        _note_new(deployment, conditions, new, created, now)
    made = _counts(deployment, new, old)
    if "collisionCount" in before:
        made["collisionCount"] = before["collisionCount"]
    _note_available(deployment, conditions, made, now)
    if rolling_out:
        _note_progress(deployment, conditions, made, new, now)
        _note_failure(conditions, new, old)
    if conditions:
        made["conditions"] = conditions
    return made


def _counts(deployment: Object, new: Object | None, old: Sequence[Object]) -> Object:
    everything = [*old, *([new] if new else [])]
    available = total_counted(everything, "availableReplicas")
    counts = {
        "observedGeneration": deployment["metadata"].get("generation", 0),
        "replicas": total_counted(everything, "replicas"),
        "updatedReplicas": counted(new, "replicas") if new else 0,
        "readyReplicas": total_counted(everything, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, total(everything) - available),
    }
    made: Object = {name: count for name, count in counts.items() if count}
    told = [each.get("status") or {} for each in everything]
    if all("terminatingReplicas" in each or not each.get("observedGeneration") for each in told):
        made["terminatingReplicas"] = sum(each.get("terminatingReplicas", 0) for each in told)
    return made


def _note_pause(deployment: Object, conditions: Conditions, now: float) -> None:
    if deadline(deployment) is None:
        return
    reason = (find(conditions, "Progressing") or {}).get("reason")
    if reason == "ProgressDeadlineExceeded":
        return
    paused = bool(deployment["spec"].get("paused"))
    if paused and reason != "DeploymentPaused":
        put(conditions, "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused", now)
    elif not paused and reason == "DeploymentPaused":
        put(conditions, "Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed", now)


def _note_new(deployment: Object, conditions: Conditions, new: Object, created: bool, now: float) -> None:
    if deadline(deployment) is None:
        return
    name = new["metadata"]["name"]
    if created:
        put(conditions, "Progressing", "True", "NewReplicaSetCreated", f'Created new replica set "{name}"', now)
    elif find(conditions, "Progressing") is None:
        put(conditions, "Progressing", "True", "FoundNewReplicaSet", f'Found new replica set "{name}"', now)


def _note_available(deployment: Object, conditions: Conditions, made: Object, now: float) -> None:
    if made.get("availableReplicas", 0) >= min_available(deployment):
        reason, message = "MinimumReplicasAvailable", "Deployment has minimum availability."
        put(conditions, "Available", "True", reason, message, now)
    else:
        reason, message = "MinimumReplicasUnavailable", "Deployment does not have minimum availability."
        put(conditions, "Available", "False", reason, message, now)


def _note_progress(deployment: Object, conditions: Conditions, made: Object, new: Object | None, now: float) -> None:
    if deadline(deployment) is None:
        drop(conditions, "Progressing")
        return
    current = find(conditions, "Progressing")
    rolled_out = current is not None and current.get("reason") == "NewReplicaSetAvailable"
    if rolled_out and made.get("replicas", 0) == made.get("updatedReplicas", 0):
        return
    who = (
        f'ReplicaSet "{new["metadata"]["name"]}"'
        if new is not None
        else f'Deployment "{deployment["metadata"]["name"]}"'
    )
    if is_complete(deployment, made):
        put(conditions, "Progressing", "True", "NewReplicaSetAvailable", f"{who} has successfully progressed.", now)
    elif _is_progressing(deployment.get("status") or {}, made):
        since = current if current is not None and current["status"] == "True" else None
        drop(conditions, "Progressing")
        put(conditions, "Progressing", "True", "ReplicaSetUpdated", f"{who} is progressing.", now)
        if since is not None:
            conditions[-1]["lastTransitionTime"] = since["lastTransitionTime"]
    elif current is not None and (left := _time_left(deployment, current, now)) is not None and left < 0:
        put(conditions, "Progressing", "False", "ProgressDeadlineExceeded", f"{who} has timed out progressing.", now)


def _is_progressing(before: Object, made: Object) -> bool:
    def old_pods(status: Object) -> int:
        return int(status.get("replicas", 0)) - int(status.get("updatedReplicas", 0))

    grown = ("updatedReplicas", "readyReplicas", "availableReplicas")
    return old_pods(made) < old_pods(before) or any(made.get(name, 0) > before.get(name, 0) for name in grown)


def _time_left(deployment: Object, condition: dict[str, Any], now: float) -> float | None:
    """Seconds until the rollout counts as stuck; None where it is over, one way or the other."""
    limit = deadline(deployment)
    if limit is None or condition.get("reason") in ("NewReplicaSetAvailable", "ProgressDeadlineExceeded"):
        return None
    return parse_time(condition.get("lastUpdateTime")) + limit - now


def recheck_after(deployment: Object, made: Object, now: float) -> float | None:
    """Seconds until the deadline must be looked at again; None where nothing is waited for."""
    current = find(made.get("conditions") or [], "Progressing")
    if current is None or deployment["spec"].get("paused") or is_complete(deployment, made):
        return None
    left = _time_left(deployment, current, now)
    return None if left is None else max(left, 0.0) + 1.0


def _note_failure(conditions: Conditions, new: Object | None, old: Sequence[Object]) -> None:
    for replica_set in [*([new] if new else []), *old]:
        failure = find((replica_set.get("status") or {}).get("conditions") or [], "ReplicaFailure")
        if failure is not None:
            at = parse_time(failure.get("lastTransitionTime"))
            put(conditions, "ReplicaFailure", failure["status"], failure["reason"], failure["message"], at)
            return
    drop(conditions, "ReplicaFailure")


def find(conditions: Conditions, type: str) -> dict[str, Any] | None:
    return next((entry for entry in conditions if entry["type"] == type), None)


def drop(conditions: Conditions, type: str) -> None:
    conditions[:] = [entry for entry in conditions if entry["type"] != type]


def put(conditions: Conditions, type: str, status: str, reason: str, message: str, now: float) -> None:
    """Sets the condition; the same status and reason leave it as it is."""
    current = find(conditions, type)
    if current is not None and current["status"] == status and current.get("reason") == reason:
        return
    stamp = format_time(now)
    since = current["lastTransitionTime"] if current is not None and current["status"] == status else stamp
    drop(conditions, type)
    conditions.append({
        "type": type, "status": status, "lastUpdateTime": stamp, "lastTransitionTime": since,
        "reason": reason, "message": message,
    })  # fmt: skip
