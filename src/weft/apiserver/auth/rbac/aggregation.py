"""Aggregated ClusterRoles: the rules of all ClusterRoles whose labels match ("Aggregated ClusterRoles"). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from weft.apiserver.auth.rbac.rule import Rule
from weft.apiserver.registry.kind import Object


@dataclass(frozen=True, slots=True)
class Selector:
    """A metav1.LabelSelector; empty, it matches every role."""

    labels: tuple[tuple[str, str], ...] = ()
    expressions: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    """(key, In | NotIn | Exists | DoesNotExist, values)"""

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(labels.get(key) == value for key, value in self.labels) and all(
            _holds(labels.get(key), operator, values) for key, operator, values in self.expressions
        )


def selectors_of(role: Object) -> tuple[Selector, ...]:
    rule = role.get("aggregationRule") or {}
    return tuple(_parse(selector) for selector in rule.get("clusterRoleSelectors") or ())


def aggregated(
    selectors: tuple[Selector, ...],
    roles: Mapping[str, tuple[Mapping[str, str], tuple[Rule, ...], tuple[Selector, ...]]],
) -> tuple[Rule, ...]:
    """Rules, without repetition, of the roles (name → labels, rules, selectors) that match any of `selectors`.

    A role that matches may itself be aggregated: its rules are those that it gathers, whatever it says it has.
    """
    return tuple(dict.fromkeys(_gather(selectors, roles, set())))


def _gather(
    selectors: tuple[Selector, ...],
    roles: Mapping[str, tuple[Mapping[str, str], tuple[Rule, ...], tuple[Selector, ...]]],
    seen: set[str],
) -> list[Rule]:
    found: list[Rule] = []
    for name in sorted(roles):
        labels, rules, own = roles[name]
        if name in seen or not any(selector.matches(labels) for selector in selectors):
            continue
        seen.add(name)
        found += _gather(own, roles, seen) if own else rules
    return found


def _parse(selector: Mapping[str, Any]) -> Selector:
    return Selector(
        tuple((selector.get("matchLabels") or {}).items()),
        tuple(
            (each.get("key", ""), each.get("operator", ""), tuple(each.get("values") or ()))
            for each in selector.get("matchExpressions") or ()
        ),
    )


def _holds(value: str | None, operator: str, values: tuple[str, ...]) -> bool:
    match operator:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    return False
