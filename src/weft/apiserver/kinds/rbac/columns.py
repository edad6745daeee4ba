"""`kubectl get rolebindings` and `clusterrolebindings`. Roles have the default columns, as upstream."""

from typing import Any

from weft.apiserver.registry.kind import Column, Object
from weft.apiserver.tables.ages import created
from weft.apiserver.tables.cells import AGE, NAME

COLUMNS = (
    NAME,
    Column("Role"),
    AGE,
    Column("Users", priority=1),
    Column("Groups", priority=1),
    Column("ServiceAccounts", priority=1),
)


def row(binding: Object, now: float) -> list[Any]:
    reference = binding.get("roleRef", {})
    subjects = binding.get("subjects") or ()
    users = [each.get("name", "") for each in subjects if each.get("kind") == "User"]
    groups = [each.get("name", "") for each in subjects if each.get("kind") == "Group"]
    accounts = [
        f"{each.get('namespace', '')}/{each.get('name', '')}"
        for each in subjects
        if each.get("kind") == "ServiceAccount"
    ]
    return [
        binding["metadata"].get("name", ""),
        f"{reference.get('kind', '')}/{reference.get('name', '')}",
        created(binding, now),
        ", ".join(users),
        ", ".join(groups),
        ", ".join(accounts),
    ]
