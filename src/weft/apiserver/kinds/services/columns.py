"""`kubectl get services`."""

from typing import Any

from weft.apiserver.registry.kind import Column, Object
from weft.apiserver.tables.ages import created
from weft.apiserver.tables.cells import AGE, NAME, NONE, balancer_addresses, labels

COLUMNS = (
    NAME,
    Column("Type"),
    Column("Cluster-IP"),
    Column("External-IP"),
    Column("Port(s)"),
    AGE,
    Column("Selector", priority=1),
)


def row(service: Object, now: float) -> list[Any]:
    spec = service.get("spec", {})
    return [
        service["metadata"].get("name", ""),
        spec.get("type", ""),
        (spec.get("clusterIPs") or [NONE])[0],
        _external(service),
        ",".join(_port(port) for port in spec.get("ports", ())) or NONE,
        created(service, now),
        labels(spec.get("selector")),
    ]


def _external(service: Object) -> str:
    spec = service.get("spec", {})
    kind, given = spec.get("type"), spec.get("externalIPs") or []
    if kind == "ExternalName":
        return str(spec.get("externalName", ""))
    if kind == "LoadBalancer":
        balanced = balancer_addresses(service.get("status", {}))
        return ",".join([*([balanced] if balanced else []), *given]) or "<pending>"
    return ",".join(given) or NONE


def _port(port: Object) -> str:
    node = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port', 0)}{node}/{port.get('protocol', '')}"
