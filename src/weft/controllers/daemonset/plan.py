"""What a DaemonSet needs: pods to make and to delete, and the status to tell. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from weft.cluster.objects.timestamps import parse_time
from weft.cluster.port import Object
from weft.controllers.daemonset.placement import HASH_LABEL, belongs, node_of
from weft.controllers.deployment.sizes import scaled
from weft.controllers.pods import available_in, is_ready, phase

PodsByNode = Mapping[str, Sequence[Object]]


@dataclass(slots=True)
class Changes:
    create: list[str] = field(default_factory=list)
    """Nodes that get a pod."""
    delete: list[Object] = field(default_factory=list)
    failed: list[Object] = field(default_factory=list)
    """Those of `delete` that failed: they come back, but not at once."""


def by_node(pods: Sequence[Object], nodes: Mapping[str, Object]) -> dict[str, list[Object]]:
    """The pods of each node; those of nodes that are gone too (under their names)."""
    made: dict[str, list[Object]] = {name: [] for name in nodes}
    for pod in pods:
        made.setdefault(node_of(pod), []).append(pod)
    return made


def manage(daemon_set: Object, placed: PodsByNode, nodes: Mapping[str, Object], revision: str) -> Changes:
    """One pod where one belongs, none where none may be."""
    changes = Changes()
    surge = fences(daemon_set, len(nodes))[0]
    for name, pods in placed.items():
        node = nodes.get(name)
        # Pods of nodes that are gone are collected by others; pods tied to a node without one yet have a place here.
        should, may_stay = belongs(daemon_set, node) if node is not None else (False, True)
        if not may_stay:
            changes.delete.extend(pod for pod in pods if not _leaves(pod))
        elif should and not pods:
            changes.create.append(name)
        else:
            _manage_node(pods, surge, revision, changes, is_missing=node is None)
    return changes


def _manage_node(pods: Sequence[Object], surge: int, revision: str, changes: Changes, *, is_missing: bool) -> None:
    alive = []
    for pod in pods:
        if _leaves(pod):
            continue
        if phase(pod) in ("Failed", "Succeeded"):
            changes.delete.append(pod)
            if phase(pod) == "Failed":
                changes.failed.append(pod)
        else:
            alive.append(pod)
    alive.sort(key=lambda pod: (not pod["spec"].get("nodeName"), _created(pod), pod["metadata"]["name"]))
    if is_missing:
        return
    if surge == 0:
        changes.delete.extend(alive[1:])
        return
    for same in (True, False):
        changes.delete.extend([pod for pod in alive if is_updated(pod, revision) is same][1:])


def roll(daemon_set: Object, placed: PodsByNode, nodes: Mapping[str, Object], revision: str, now: float) -> Changes:
    """The next pods that change from an old revision to `revision`, within maxUnavailable or maxSurge."""
    homes = {name: [pod for pod in pods if not _leaves(pod)] for name, pods in placed.items() if name in nodes}
    surge, unavailable = fences(daemon_set, sum(belongs(daemon_set, nodes[name])[0] for name in homes))
    minimum = daemon_set["spec"].get("minReadySeconds") or 0
    pairs = {
        name: (
            [pod for pod in pods if is_updated(pod, revision)],
            [pod for pod in pods if not is_updated(pod, revision)],
        )
        for name, pods in homes.items()
        if pods or belongs(daemon_set, nodes[name])[0]
    }
    if surge:
        return _roll_with_surge(daemon_set, pairs, nodes, surge, minimum, now)
    return _roll_in_place(pairs, unavailable, minimum, now)


_Pairs = Mapping[str, tuple[list[Object], list[Object]]]


def _roll_in_place(pairs: _Pairs, unavailable: int, minimum: int, now: float) -> Changes:
    missing, sick, candidates = 0, [], []
    for new, old in pairs.values():
        if len(new) + len(old) != 1:
            missing += 1
        elif new:
            missing += not _is_available(new[0], minimum, now)
        elif not _is_available(old[0], minimum, now):
            sick.append(old[0])
            missing += 1
        else:
            candidates.append(old[0])
    return Changes(delete=[*sick, *candidates[: max(0, unavailable - missing)]])


def _roll_with_surge(
    daemon_set: Object, pairs: _Pairs, nodes: Mapping[str, Object], surge: int, minimum: int, now: float
) -> Changes:
    changes, surging, candidates = Changes(), 0, []
    for name, (new, old) in pairs.items():
        if len(new) > 1 or len(old) > 1:
            surging += 1
        elif not old:
            continue
        elif new:
            if _is_available(new[0], minimum, now):
                changes.delete.append(old[0])
            else:
                surging += 1
        elif not belongs(daemon_set, nodes[name])[0]:
            changes.delete.append(old[0])
        elif not _is_available(old[0], minimum, now):
            changes.create.append(name)
        else:
            candidates.append(name)
    changes.create.extend(candidates[: max(0, surge - surging)])
    return changes


def is_rolling(daemon_set: Object) -> bool:
    strategy = daemon_set["spec"].get("updateStrategy") or {}
    return bool((strategy.get("type") or "RollingUpdate") == "RollingUpdate")


def fences(daemon_set: Object, wanted: int) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) in nodes, both rounded up; one of them is at least 1."""
    if not is_rolling(daemon_set):
        return 0, 0
    rolling = (daemon_set["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}
    surge = scaled(rolling.get("maxSurge", 0), wanted, up=True)
    unavailable = scaled(rolling.get("maxUnavailable", 1), wanted, up=True)
    return surge, unavailable if surge or unavailable else 1


def is_updated(pod: Object, revision: str) -> bool:
    return bool((pod["metadata"].get("labels") or {}).get(HASH_LABEL) == revision)


def status(daemon_set: Object, placed: PodsByNode, nodes: Mapping[str, Object], revision: str, now: float) -> Object:
    """The status as the pods are; equal to the old one where nothing has changed."""
    minimum = daemon_set["spec"].get("minReadySeconds") or 0
    counts = dict.fromkeys(("desired", "current", "misscheduled", "ready", "available", "updated"), 0)
    for name, node in nodes.items():
        should, _ = belongs(daemon_set, node)
        pods = [pod for pod in placed.get(name, ()) if not _leaves(pod)]
        if not should:
            counts["misscheduled"] += bool(pods)
            continue
        counts["desired"] += 1
        if pods:
            oldest = min(pods, key=_created)
            best = next((pod for pod in pods if is_updated(pod, revision)), oldest)
            counts["current"] += 1
            counts["ready"] += any(map(is_ready, pods))
            counts["available"] += any(_is_available(pod, minimum, now) for pod in pods)
            counts["updated"] += is_updated(best, revision)
    made = {
        "currentNumberScheduled": counts["current"],
        "numberMisscheduled": counts["misscheduled"],
        "desiredNumberScheduled": counts["desired"],
        "numberReady": counts["ready"],
    }
    optional = {
        "observedGeneration": daemon_set["metadata"].get("generation", 0),
        "updatedNumberScheduled": counts["updated"],
        "numberAvailable": counts["available"],
        "numberUnavailable": counts["desired"] - counts["available"],
    }
    kept = {k: v for k, v in (daemon_set.get("status") or {}).items() if k in ("collisionCount", "conditions")}
    return {**made, **{name: count for name, count in optional.items() if count}, **kept}


def recheck_after(daemon_set: Object, pods: Sequence[Object], now: float) -> float | None:
    """Seconds until the next ready pod becomes available."""
    minimum = daemon_set["spec"].get("minReadySeconds") or 0
    return min((wait for pod in pods if (wait := available_in(pod, minimum, now))), default=None)


def _is_available(pod: Object, minimum: int, now: float) -> bool:
    return available_in(pod, minimum, now) == 0


def _leaves(pod: Object) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def _created(pod: Object) -> float:
    return parse_time(pod["metadata"].get("creationTimestamp"))
