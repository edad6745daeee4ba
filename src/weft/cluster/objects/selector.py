"""LabelSelector and label expressions, as decoded from JSON ("Labels and Selectors", apimachinery meta/v1)."""

from collections.abc import Mapping, Sequence
from typing import Any

Labels = Mapping[str, str]


def label_selector_matches(selector: Mapping[str, Any] | None, labels: Labels | None) -> bool:
    """A selector that is not there matches nothing; an empty one matches everything."""
    if selector is None:
        return False
    labels = labels or {}
    return equality_matches(selector.get("matchLabels"), labels) and all(
        expression_matches(term["key"], term["operator"], term.get("values") or (), labels)
        for term in selector.get("matchExpressions") or ()
    )


def equality_matches(wanted: Labels | None, labels: Labels | None) -> bool:
    """Whether `labels` has all of `wanted` (a Service's selector)."""
    labels = labels or {}
    return all(labels.get(name) == value for name, value in (wanted or {}).items())


def is_empty(selector: Mapping[str, Any] | None) -> bool:
    return not (selector or {}).get("matchLabels") and not (selector or {}).get("matchExpressions")


def expression_matches(key: str, operator: str, values: Sequence[str], labels: Labels) -> bool:
    """One requirement of a label or node selector. An unknown operator matches nothing."""
    value = labels.get(key)
    match operator:
        case "In":
            return value is not None and value in values
        case "NotIn":
            return value is None or value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt":
            return value is not None and _compares(value, operator, values)
    return False


def _compares(value: str, operator: str, values: Sequence[str]) -> bool:
    try:
        mine, bound = int(value), int(values[0])
    except (ValueError, IndexError):
        return False
    return mine > bound if operator == "Gt" else mine < bound
