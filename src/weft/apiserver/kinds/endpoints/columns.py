"""`kubectl get endpoints`."""

from typing import Any

from weft.apiserver.registry.kind import Column, Object
from weft.apiserver.tables.ages import created
from weft.apiserver.tables.cells import AGE, NAME, NONE, first_few

COLUMNS = (NAME, Column("Endpoints"), AGE)


def row(endpoints: Object, now: float) -> list[Any]:
    subsets = endpoints.get("subsets") or []
    shown = first_few([text for subset in subsets for text in _subset(subset)]) if subsets else NONE
    return [endpoints["metadata"].get("name", ""), shown, created(endpoints, now)]


def _subset(subset: Object) -> list[str]:
    """Addresses with each port; alone where the (headless) Service has no port."""
    addresses = [each["ip"] for each in subset.get("addresses") or ()]
    ports = subset.get("ports") or ()
    return [_joined(text, port["port"]) for port in ports for text in addresses] if ports else addresses


def _joined(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
