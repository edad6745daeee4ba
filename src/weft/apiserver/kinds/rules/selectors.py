"""Label selectors in fields (apimachinery `apis/meta/v1/validation`)."""

from typing import Any

from weft.apiserver.kinds.rules.errors import Errors, forbidden, invalid, required
from weft.apiserver.selectors.names import label_key_errors, label_value_errors


def labels(field: str, found: dict[str, str]) -> Errors:
    errors: Errors = []
    for key, value in found.items():
        errors += [invalid(field, key, message) for message in label_key_errors(key)]
        errors += [invalid(field, value, message) for message in label_value_errors(value)]
    return errors


def label_selector(field: str, selector: dict[str, Any] | None) -> Errors:
    if not selector:
        return []
    errors = labels(f"{field}.matchLabels", selector.get("matchLabels", {}))
    for index, requirement in enumerate(selector.get("matchExpressions", ())):
        errors += _requirement(f"{field}.matchExpressions[{index}]", requirement)
    return errors


def _requirement(field: str, requirement: dict[str, Any]) -> Errors:
    errors: Errors = []
    operator, values = requirement.get("operator", ""), requirement.get("values") or []
    if operator in ("In", "NotIn"):
        if not values:
            errors.append(required(f"{field}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            errors.append(forbidden(f"{field}.values", detail))
    else:
        errors.append(invalid(f"{field}.operator", operator, "not a valid selector operator"))
    key = requirement.get("key", "")
    errors += [invalid(f"{field}.key", key, message) for message in label_key_errors(key)]
    for index, value in enumerate(values):
        errors += [invalid(f"{field}.values[{index}]", value, message) for message in label_value_errors(value)]
    return errors


def is_empty(selector: dict[str, Any] | None) -> bool:
    return not selector or not (selector.get("matchLabels") or selector.get("matchExpressions"))


def matches(selector: dict[str, Any], found: dict[str, str]) -> bool:
    """Whether a (valid) LabelSelector selects these labels."""
    if any(found.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    return all(_fulfils(requirement, found) for requirement in selector.get("matchExpressions", ()))


def _fulfils(requirement: dict[str, Any], found: dict[str, str]) -> bool:
    key, values = requirement.get("key", ""), requirement.get("values") or []
    match requirement.get("operator"):
        case "In":
            return found.get(key) in values
        case "NotIn":
            return found.get(key) not in values
        case "Exists":
            return key in found
        case "DoesNotExist":
            return key not in found
    return False
