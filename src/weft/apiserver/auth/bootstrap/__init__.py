"""Roles and bindings that every cluster begins with, by upstream's names ("Default roles and role bindings"). Pure."""

from collections.abc import Mapping

from weft.apiserver.auth.bootstrap import components, controllers, people, weft
from weft.apiserver.auth.bootstrap.components import NODE_RULES
from weft.apiserver.auth.bootstrap.declare import binding_object, role_object
from weft.apiserver.auth.rbac.aggregation import aggregated, selectors_of
from weft.apiserver.auth.rbac.index import GROUP
from weft.apiserver.auth.rbac.rule import not_covered, parse, render, rules_of
from weft.apiserver.registry.kind import Object

__all__ = ["NODE_RULES", "bootstrap_objects", "reconcile"]

_PARTS = (people, components, controllers, weft)
_AUTOUPDATE = f"{GROUP}/autoupdate"


def bootstrap_objects() -> list[Object]:
    """ClusterRoles (aggregated ones with their rules), Roles, then their bindings; fresh dicts at every call."""
    roles = [role_object(role) for part in _PARTS for role in part.ROLES]
    known = {
        role["metadata"]["name"]: (role["metadata"]["labels"], rules_of(role), selectors_of(role))
        for role in roles
        if role["kind"] == "ClusterRole"
    }
    for role in roles:
        if selectors := selectors_of(role):
            role["rules"] = [render(rule) for rule in aggregated(selectors, known)]
    return roles + [binding_object(bound) for part in _PARTS for bound in part.BINDINGS]


def reconcile(existing: Object, wanted: Object) -> Object | None:
    """What `existing` must become so that it has at least what `wanted` gives ("Auto-reconciliation"); None if it does.

    Rules and subjects that somebody added stay. An object annotated `autoupdate: "false"` is left alone.
    """
    annotations = existing["metadata"].get("annotations") or {}
    if annotations.get(_AUTOUPDATE) == "false":
        return None
    changed = {**existing, "metadata": {**existing["metadata"]}}
    for field in ("labels", "annotations"):
        present: Mapping[str, str] = existing["metadata"].get(field) or {}
        changed["metadata"][field] = {**wanted["metadata"].get(field, {}), **present}
    if wanted.get("aggregationRule"):
        changed["aggregationRule"] = existing.get("aggregationRule") or wanted["aggregationRule"]
    elif "rules" in wanted:
        missing = [rule for rule in wanted["rules"] if not_covered(rules_of(existing), [parse(rule)])]
        changed["rules"] = [*(existing.get("rules") or ()), *missing]
    if wanted.get("subjects"):
        subjects = existing.get("subjects") or []
        changed["subjects"] = [*subjects, *(each for each in wanted["subjects"] if each not in subjects)]
    return None if changed == existing else changed
