"""What a pod's status means to those who count pods, and which pod goes first. Pure."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from weft.cluster.objects.timestamps import parse_time
from weft.cluster.port import Object

_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


def condition(obj: Object, type: str) -> dict[str, Any] | None:
    for entry in (obj.get("status") or {}).get("conditions") or ():
        if entry["type"] == type:
            return dict(entry)
    return None


def phase(pod: Object) -> str:
    return str((pod.get("status") or {}).get("phase") or "Pending")


def is_finished(pod: Object) -> bool:
    return phase(pod) in ("Succeeded", "Failed")


def is_active(pod: Object) -> bool:
    return not is_finished(pod) and not pod["metadata"].get("deletionTimestamp")


def is_ready(pod: Object) -> bool:
    entry = condition(pod, "Ready")
    return entry is not None and entry["status"] == "True"


def ready_since(pod: Object) -> float:
    """Unix seconds; 0 where the pod is not ready."""
    entry = condition(pod, "Ready")
    return parse_time(entry.get("lastTransitionTime")) if entry and entry["status"] == "True" else 0.0


def available_in(pod: Object, min_ready_seconds: int, now: float) -> float | None:
    """Seconds until the pod counts as available (0: it does); None while it is not ready."""
    if not is_ready(pod):
        return None
    return max(0.0, ready_since(pod) + min_ready_seconds - now) if min_ready_seconds else 0.0


def deletion_order(pods: Sequence[Object], related: Sequence[Object], now: float) -> list[Object]:
    """Those to delete first come first: unassigned, pending, not ready, cheap, crowded, young ("Scaling down").

    `related` are the pods of all replica sets of the same owner: a node that holds many of them gives one up first.
    """
    crowd = Counter(pod["spec"].get("nodeName", "") for pod in related if is_active(pod))

    def rank(pod: Object) -> tuple[Any, ...]:
        meta, node, ready = pod["metadata"], pod["spec"].get("nodeName", ""), is_ready(pod)
        return (
            bool(node),
            _PHASES.get(phase(pod), 2),
            ready,
            _deletion_cost(meta),
            -crowd[node],
            _magnitude(now - ready_since(pod)) if ready else 0,
            -_restarts(pod),
            _magnitude(now - parse_time(meta.get("creationTimestamp"))),
            meta.get("uid", ""),
        )

    return sorted(pods, key=rank)


def _magnitude(age: float) -> int:
    """Ages are compared by their order of magnitude, so that among equals chance decides (KEP-2185)."""
    return int(math.log2(age * 1e9)) if age > 1e-9 else -1


def _deletion_cost(meta: dict[str, Any]) -> int:
    try:
        return int((meta.get("annotations") or {}).get("controller.kubernetes.io/pod-deletion-cost", "0"))
    except ValueError:
        return 0


def _restarts(pod: Object) -> int:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return max((status.get("restartCount", 0) for status in statuses), default=0)


def pod_from_template(template: Object, owner_reference: dict[str, Any], namespace: str) -> Object:
    """A pod of its owner's template, named by the server: NAME-xxxxx."""
    meta = template.get("metadata") or {}
    copied = {key: meta[key] for key in ("labels", "annotations", "finalizers") if meta.get(key)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": f"{owner_reference['name']}-",
            "namespace": namespace,
            **copied,
            "ownerReferences": [owner_reference],
        },
        "spec": template["spec"],
    }
