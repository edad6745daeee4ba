"""`kubectl get secrets`."""

from typing import Any

from weft.apiserver.registry.kind import Column, Object
from weft.apiserver.tables.ages import created
from weft.apiserver.tables.cells import AGE, NAME

COLUMNS = (NAME, Column("Type"), Column("Data"), AGE)


def row(secret: Object, now: float) -> list[Any]:
    name = secret["metadata"].get("name", "")
    return [name, secret.get("type", ""), len(secret.get("data") or ()), created(secret, now)]
