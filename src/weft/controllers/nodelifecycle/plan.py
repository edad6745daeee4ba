"""What a node's silence and conditions mean for its status, its taints and its pods. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weft.cluster.objects.taint import (
    DISK_PRESSURE,
    MEMORY_PRESSURE,
    NETWORK_UNAVAILABLE,
    NOT_READY,
    PID_PRESSURE,
    UNREACHABLE,
    UNSCHEDULABLE,
    tolerates,
)
from weft.cluster.objects.timestamps import format_time, parse_time
from weft.cluster.port import Object
from weft.controllers.pods import condition

STARTUP_GRACE = 60.0
"""Seconds that a node may take until its agent has told its first status."""

_TOLD_BY_KUBELET = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
_TAINT_OF = {
    ("Ready", "False"): NOT_READY,
    ("Ready", "Unknown"): UNREACHABLE,
    ("MemoryPressure", "True"): MEMORY_PRESSURE,
    ("DiskPressure", "True"): DISK_PRESSURE,
    ("PIDPressure", "True"): PID_PRESSURE,
    ("NetworkUnavailable", "True"): NETWORK_UNAVAILABLE,
}
_OURS_NO_SCHEDULE = frozenset(_TAINT_OF.values()) | {UNSCHEDULABLE}
_OURS_NO_EXECUTE = frozenset({NOT_READY, UNREACHABLE})


@dataclass(slots=True)
class Signs:
    """The last signs of life of a node: what they were, and when we saw them change (by our clock)."""

    seen: tuple[str, str]
    """(renewTime of its lease, lastHeartbeatTime of its Ready condition)"""
    at: float


def signs(old: Signs | None, node: Object, lease: Object | None, now: float) -> Signs:
    """Only changes count, not what the node's own clock says."""
    ready = condition(node, "Ready") or {}
    seen = ((lease or {}).get("spec", {}).get("renewTime") or "", ready.get("lastHeartbeatTime") or "")
    if old is not None and old.seen == seen:
        return old
    return Signs(seen, now)


def grace(node: Object, monitor_grace: float) -> float:
    return monitor_grace if condition(node, "Ready") else max(STARTUP_GRACE, monitor_grace)


def silenced(node: Object, now: float) -> list[dict[str, Any]]:
    """The conditions of a node that has not been heard of for too long: what its agent tells becomes Unknown."""
    stamp = format_time(now)
    conditions = [dict(entry) for entry in (node.get("status") or {}).get("conditions") or ()]
    known = {entry["type"]: entry for entry in conditions}
    for name in _TOLD_BY_KUBELET:
        entry = known.get(name)
        if entry is None:
            conditions.append({
                "type": name, "status": "Unknown", "reason": "NodeStatusNeverUpdated",
                "message": "Kubelet never posted node status.",
                "lastHeartbeatTime": node["metadata"].get("creationTimestamp"), "lastTransitionTime": stamp,
            })  # fmt: skip
        elif entry["status"] != "Unknown":
            entry.update(
                status="Unknown",
                reason="NodeStatusUnknown",
                message="Kubelet stopped posting node status.",
                lastTransitionTime=stamp,
            )
    return conditions


def is_ready(node: Object) -> bool:
    return (condition(node, "Ready") or {}).get("status") == "True"


def is_unknown(node: Object) -> bool:
    return (condition(node, "Ready") or {}).get("status") == "Unknown"


def taints(node: Object, now: float, *, evict: bool) -> list[dict[str, Any]]:
    """The node's taints as its conditions ask for; those of others stay. The same list where nothing changes.

    Without `evict` no pod is driven away: when no node at all is ready, the fault is more likely ours.
    """
    spec = node.get("spec") or {}
    old: Sequence[dict[str, Any]] = spec.get("taints") or []
    conditions = (node.get("status") or {}).get("conditions") or ()
    wanted = [key for entry in conditions if (key := _TAINT_OF.get((entry["type"], entry["status"])))]
    stop = [(key, "NoSchedule") for key in wanted]
    if spec.get("unschedulable"):
        stop.append((UNSCHEDULABLE, "NoSchedule"))
    drive = [(key, "NoExecute") for key in wanted if key in _OURS_NO_EXECUTE] if evict else []
    kept = [taint for taint in old if not _is_ours(taint) or (taint["key"], taint["effect"]) in (*stop, *drive)]
    have = {(taint["key"], taint["effect"]) for taint in kept}
    stamp = format_time(now)
    added = [
        {"key": key, "effect": effect, "timeAdded": stamp}
        for key, effect in (*stop, *drive)
        if (key, effect) not in have
    ]
    return [*kept, *added]


def _is_ours(taint: Mapping[str, Any]) -> bool:
    key, effect = taint["key"], taint["effect"]
    return (effect == "NoSchedule" and key in _OURS_NO_SCHEDULE) or (effect == "NoExecute" and key in _OURS_NO_EXECUTE)


def no_execute(node: Object | None) -> list[dict[str, Any]]:
    return [taint for taint in ((node or {}).get("spec") or {}).get("taints") or () if taint["effect"] == "NoExecute"]


def eviction_in(pod: Object, node_taints: Iterable[Mapping[str, Any]], since: float, now: float) -> float | None:
    """Seconds until the pod must leave: 0 at once, None never. `since` stands for taints that tell no timeAdded."""
    tolerations = pod["spec"].get("tolerations") or ()
    waits: list[float] = []
    for taint in node_taints:
        covering = [toleration for toleration in tolerations if tolerates(toleration, taint)]
        if not covering:
            return 0.0
        limits = [t["tolerationSeconds"] for t in covering if t.get("tolerationSeconds") is not None]
        if limits:
            added = parse_time(taint.get("timeAdded")) or since
            waits.append(max(0.0, added + max(0, min(limits)) - now))
    return min(waits, default=None)
