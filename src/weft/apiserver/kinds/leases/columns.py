"""`kubectl get leases`."""

from typing import Any

from weft.apiserver.registry.kind import Column, Object
from weft.apiserver.tables.ages import created
from weft.apiserver.tables.cells import AGE, NAME

COLUMNS = (NAME, Column("Holder"), AGE)


def row(lease: Object, now: float) -> list[Any]:
    return [lease["metadata"].get("name", ""), lease.get("spec", {}).get("holderIdentity", ""), created(lease, now)]
