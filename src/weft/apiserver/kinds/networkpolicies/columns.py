"""`kubectl get networkpolicies`."""

from typing import Any

from weft.apiserver.registry.kind import Column, Object
from weft.apiserver.tables.ages import created
from weft.apiserver.tables.cells import AGE, NAME, NONE, selector

COLUMNS = (NAME, Column("Pod-Selector"), AGE)


def row(policy: Object, now: float) -> list[Any]:
    chosen = selector(policy.get("spec", {}).get("podSelector")) or NONE
    return [policy["metadata"].get("name", ""), chosen, created(policy, now)]
