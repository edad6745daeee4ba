"""`kubectl get nodes`."""

from typing import Any

from weft.apiserver.registry.kind import Column, Object
from weft.apiserver.tables.ages import UNKNOWN, created
from weft.apiserver.tables.cells import AGE, NAME, NONE

COLUMNS = (
    NAME,
    Column("Status"),
    Column("Roles"),
    AGE,
    Column("Version"),
    Column("Internal-IP", priority=1),
    Column("External-IP", priority=1),
    Column("OS-Image", priority=1),
    Column("Kernel-Version", priority=1),
    Column("Container-Runtime", priority=1),
)
_ROLE_PREFIX = "node-role.kubernetes.io/"
_ROLE = "kubernetes.io/role"


def row(node: Object, now: float) -> list[Any]:
    status = node.get("status", {})
    info = status.get("nodeInfo", {})
    architecture = f" ({info['architecture']})" if info.get("architecture") else ""
    return [
        node["metadata"].get("name", ""),
        _state(node),
        _roles(node["metadata"].get("labels", {})),
        created(node, now),
        info.get("kubeletVersion", ""),
        _address(status, "InternalIP"),
        _address(status, "ExternalIP"),
        info.get("osImage") or UNKNOWN,
        (info.get("kernelVersion") or UNKNOWN) + architecture,
        info.get("containerRuntimeVersion") or UNKNOWN,
    ]


def _state(node: Object) -> str:
    words = []
    for condition in node.get("status", {}).get("conditions", ()):
        if condition["type"] == "Ready":
            words = ["Ready" if condition.get("status") == "True" else "NotReady"]
    words = words or ["Unknown"]
    if node.get("spec", {}).get("unschedulable"):
        words.append("SchedulingDisabled")
    return ",".join(words)


def _roles(labels: dict[str, str]) -> str:
    roles = {key.removeprefix(_ROLE_PREFIX) for key in labels if key.startswith(_ROLE_PREFIX)}
    roles |= {labels.get(_ROLE, "")}
    return ",".join(sorted(roles - {""})) or NONE


def _address(status: Object, kind: str) -> str:
    found = (str(each["address"]) for each in status.get("addresses", ()) if each["type"] == kind)
    return next(found, NONE)
