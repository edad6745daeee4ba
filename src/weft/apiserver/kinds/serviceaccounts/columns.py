"""`kubectl get serviceaccounts`."""

from typing import Any

from weft.apiserver.registry.kind import Object
from weft.apiserver.tables.ages import created
from weft.apiserver.tables.cells import AGE, NAME

COLUMNS = (NAME, AGE)


def row(account: Object, now: float) -> list[Any]:
    return [account["metadata"].get("name", ""), created(account, now)]
