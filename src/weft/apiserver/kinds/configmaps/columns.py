"""`kubectl get configmaps`."""

from typing import Any

from weft.apiserver.registry.kind import Column, Object
from weft.apiserver.tables.ages import created
from weft.apiserver.tables.cells import AGE, NAME

COLUMNS = (NAME, Column("Data"), AGE)


def row(config: Object, now: float) -> list[Any]:
    size = len(config.get("data") or ()) + len(config.get("binaryData") or ())
    return [config["metadata"].get("name", ""), size, created(config, now)]
