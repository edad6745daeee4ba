"""`kubectl get namespaces`."""

from typing import Any

from weft.apiserver.registry.kind import Column, Object
from weft.apiserver.tables.ages import created
from weft.apiserver.tables.cells import AGE, NAME

COLUMNS = (NAME, Column("Status"), AGE)


def row(namespace: Object, now: float) -> list[Any]:
    return [namespace["metadata"]["name"], namespace.get("status", {}).get("phase", ""), created(namespace, now)]
