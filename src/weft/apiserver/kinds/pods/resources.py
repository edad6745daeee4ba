"""Validation of resource requests and limits (pkg/apis/core/validation: validateResourceRequirements)."""

from weft.apiserver.kinds.rules import names
from weft.apiserver.kinds.rules.errors import Errors, each, invalid, required
from weft.apiserver.kinds.rules.numbers import not_negative_quantity
from weft.apiserver.registry.kind import Object
from weft.apiserver.schema.quantity import parse_quantity

_CONTAINER = ("cpu", "memory", "ephemeral-storage")
_STANDARD = (
    *_CONTAINER,
    "storage",
    "pods",
    "services",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
    "requests.cpu",
    "requests.memory",
    "limits.cpu",
    "limits.memory",
)


def resource_errors(resources: Object, field: str) -> Errors:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    errors: Errors = []
    for name, text in limits.items():
        errors += _value(name, text, f"{field}.limits[{name}]")
    for name, text in requests.items():
        errors += _value(name, text, f"{field}.requests[{name}]")
        errors += _within_limit(name, text, limits, field)
    return errors


def _value(name: str, text: str, field: str) -> Errors:
    errors = _name(name, field) + not_negative_quantity(field, text)
    value = parse_quantity(text)
    if not _divisible(name) and value != value.to_integral_value():
        errors.append(invalid(field, text, "must be an integer"))
    return errors


def _name(name: str, field: str) -> Errors:
    errors = each(field, name, names.qualified_name(name))
    if "/" not in name:
        if not errors and name not in _STANDARD and not name.startswith("hugepages-"):
            errors.append(invalid(field, name, "must be a standard resource type or fully qualified"))
        if name not in _CONTAINER and not name.startswith("hugepages-"):
            errors.append(invalid(field, name, "must be a standard resource for containers"))
    elif not _native(name) and name.startswith("requests."):
        errors.append(invalid(field, name, "doesn't follow extended resource name standard"))
    return errors


def _within_limit(name: str, text: str, limits: dict[str, str], field: str) -> Errors:
    limit = limits.get(name)
    if limit is None:
        if _overcommits(name):
            return []
        return [required(f"{field}.limits", "Limit must be set for non overcommitable resources")]
    value, most = parse_quantity(text), parse_quantity(limit)
    if value != most and not _overcommits(name):
        return [invalid(f"{field}.requests", text, f"must be equal to {name} limit of {limit}")]
    if value > most:
        return [invalid(f"{field}.requests", text, f"must be less than or equal to {name} limit of {limit}")]
    return []


def _native(name: str) -> bool:
    return "/" not in name or "kubernetes.io/" in name


def _overcommits(name: str) -> bool:
    return _native(name) and not name.startswith("hugepages-")


def _divisible(name: str) -> bool:
    """Extended resources come in whole units."""
    return _native(name)
