"""Taints and tolerations, as decoded from JSON ("Taints and Tolerations")."""

from collections.abc import Iterable, Mapping
from typing import Any

Taint = Mapping[str, Any]
Toleration = Mapping[str, Any]

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
NETWORK_UNAVAILABLE = "node.kubernetes.io/network-unavailable"
DISK_PRESSURE = "node.kubernetes.io/disk-pressure"
MEMORY_PRESSURE = "node.kubernetes.io/memory-pressure"
PID_PRESSURE = "node.kubernetes.io/pid-pressure"


def tolerates(toleration: Toleration, taint: Taint) -> bool:
    """An empty effect tolerates every effect; an empty key (with Exists) every key."""
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    value, bound = taint.get("value") or "", toleration.get("value") or ""
    match toleration.get("operator") or "Equal":
        case "Exists":
            return True
        case "Equal":
            return bool(toleration.get("key")) and value == bound
        case "Gt" | "Lt" as operator:  # KEP-5471
            try:
                return int(value) > int(bound) if operator == "Gt" else int(value) < int(bound)
            except ValueError:
                return False
    return False


def untolerated(
    taints: Iterable[Taint] | None, tolerations: Iterable[Toleration] | None, effects: Iterable[str]
) -> Taint | None:
    """The first taint with one of `effects` that no toleration covers."""
    covered = tuple(tolerations or ())
    wanted = frozenset(effects)
    for taint in taints or ():
        if taint["effect"] in wanted and not any(tolerates(toleration, taint) for toleration in covered):
            return taint
    return None
