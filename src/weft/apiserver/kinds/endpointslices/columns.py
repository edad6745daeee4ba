"""`kubectl get endpointslices`."""

from typing import Any

from weft.apiserver.registry.kind import Column, Object
from weft.apiserver.tables.ages import created
from weft.apiserver.tables.cells import AGE, NAME, first_few

COLUMNS = (NAME, Column("AddressType"), Column("Ports"), Column("Endpoints"), AGE)
_UNSET = "<unset>"


def row(endpoint_slice: Object, now: float) -> list[Any]:
    ports = [_port(port) for port in endpoint_slice.get("ports") or ()]
    addresses = [text for endpoint in endpoint_slice.get("endpoints") or () for text in endpoint.get("addresses") or ()]
    return [
        endpoint_slice["metadata"].get("name", ""),
        endpoint_slice.get("addressType", ""),
        first_few(ports) or _UNSET,
        first_few(addresses) or _UNSET,
        created(endpoint_slice, now),
    ]


def _port(port: Object) -> str:
    if port.get("port") is not None:
        return str(port["port"])
    return str(port["name"]) if port.get("name") is not None else "*"
