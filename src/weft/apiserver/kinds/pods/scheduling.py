"""Validation of what steers the scheduler: affinity, tolerations, spreading (pkg/apis/core/validation)."""

from weft.apiserver.kinds.rules import names
from weft.apiserver.kinds.rules.errors import (
    Errors,
    duplicate,
    each,
    forbidden,
    invalid,
    not_supported,
    required,
)
from weft.apiserver.kinds.rules.selectors import label_selector
from weft.apiserver.registry.kind import Object
from weft.apiserver.selectors.names import label_value_errors

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_ACTIONS = ("DoNotSchedule", "ScheduleAnyway")
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def toleration_errors(tolerations: list[Object], field: str) -> Errors:
    return [error for index, each_of in enumerate(tolerations) for error in _toleration(each_of, f"{field}[{index}]")]


def _toleration(toleration: Object, field: str) -> Errors:
    key, operator = toleration.get("key", ""), toleration.get("operator", "")
    value, effect = toleration.get("value", ""), toleration.get("effect", "")
    errors = each(f"{field}.key", key, names.qualified_name(key)) if key else []
    if not key and operator != "Exists":
        detail = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        errors.append(invalid(f"{field}.operator", operator, detail))
    if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
        detail = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        errors.append(invalid(f"{field}.effect", effect, detail))
    if operator in ("", "Equal"):
        messages = label_value_errors(value)
        if messages:
            errors.append(invalid(f"{field}.operator", value, ";".join(messages)))
    elif operator == "Exists":
        if value:
            errors.append(invalid(f"{field}.operator", value, "value must be empty when `operator` is 'Exists'"))
    else:
        allowed = ("Equal", "Exists", "Lt", "Gt") if operator in ("Lt", "Gt") else ("Equal", "Exists")
        errors.append(not_supported(f"{field}.operator", operator, allowed))
    if effect and effect not in _EFFECTS:
        errors.append(not_supported(f"{field}.effect", effect, _EFFECTS))
    return errors


def affinity_errors(affinity: Object, field: str) -> Errors:
    errors: Errors = []
    node = affinity.get("nodeAffinity")
    if node is not None:
        errors += _node_affinity(node, f"{field}.nodeAffinity")
    for name in ("podAffinity", "podAntiAffinity"):
        for index, term in enumerate((affinity.get(name) or {}).get(_REQUIRED) or ()):
            errors += _pod_term(term, f"{field}.{name}.{_REQUIRED}[{index}]")
        for index, weighted in enumerate((affinity.get(name) or {}).get(_PREFERRED) or ()):
            place = f"{field}.{name}.{_PREFERRED}[{index}]"
            errors += _weight(weighted, place)
            errors += _pod_term(weighted.get("podAffinityTerm") or {}, f"{place}.podAffinityTerm")
    return errors


def _node_affinity(affinity: Object, field: str) -> Errors:
    errors: Errors = []
    needed = affinity.get(_REQUIRED)
    if needed is not None:
        place = f"{field}.{_REQUIRED}.nodeSelectorTerms"
        terms = needed.get("nodeSelectorTerms") or []
        if not terms:
            errors.append(required(place, "must have at least one node selector term"))
        for index, term in enumerate(terms):
            errors += _node_term(term, f"{place}[{index}]", check_values=True)
    for index, weighted in enumerate(affinity.get(_PREFERRED) or ()):
        place = f"{field}.{_PREFERRED}[{index}]"
        errors += _weight(weighted, place)
        errors += _node_term(weighted.get("preference") or {}, f"{place}.preference", check_values=False)
    return errors


def _weight(term: Object, field: str) -> Errors:
    weight = term.get("weight", 0)
    return [] if 0 < weight <= 100 else [invalid(f"{field}.weight", weight, "must be in the range 1-100")]


def _node_term(term: Object, field: str, *, check_values: bool) -> Errors:
    errors: Errors = []
    for index, requirement in enumerate(term.get("matchExpressions") or ()):
        errors += _expression(requirement, f"{field}.matchExpressions[{index}]", check_values)
    for index, requirement in enumerate(term.get("matchFields") or ()):
        errors += _field(requirement, f"{field}.matchFields[{index}]")
    return errors


def _expression(requirement: Object, field: str, check_values: bool) -> Errors:
    operator, values = requirement.get("operator", ""), requirement.get("values") or []
    errors: Errors = []
    if operator in ("In", "NotIn"):
        if not values:
            errors.append(required(f"{field}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            errors.append(forbidden(f"{field}.values", detail))
    elif operator in ("Gt", "Lt"):
        if len(values) != 1:
            detail = "must be specified single value when `operator` is 'Lt' or 'Gt'"
            errors.append(required(f"{field}.values", detail))
    else:
        errors.append(invalid(f"{field}.operator", operator, "not a valid selector operator"))
    key = requirement.get("key", "")
    errors += each(f"{field}.key", key, names.qualified_name(key))
    for index, value in enumerate(values if check_values else ()):
        errors += each(f"{field}.values[{index}]", value, label_value_errors(value))
    return errors


def _field(requirement: Object, field: str) -> Errors:
    operator, values = requirement.get("operator", ""), requirement.get("values") or []
    errors: Errors = []
    if operator not in ("In", "NotIn"):
        errors.append(invalid(f"{field}.operator", operator, "not a valid selector operator"))
    elif len(values) != 1:
        detail = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        errors.append(required(f"{field}.values", detail))
    if requirement.get("key") != "metadata.name":
        errors.append(invalid(f"{field}.key", requirement.get("key", ""), "not a valid field selector key"))
    else:
        for index, value in enumerate(values):
            errors += each(f"{field}.values[{index}]", value, names.subdomain(value))
    return errors


def _pod_term(term: Object, field: str) -> Errors:
    errors = label_selector(f"{field}.labelSelector", term.get("labelSelector"))
    errors += label_selector(f"{field}.namespaceSelector", term.get("namespaceSelector"))
    for name in term.get("namespaces") or ():
        errors += each(f"{field}.namespace", name, names.label(name))
    key = term.get("topologyKey", "")
    if not key:
        errors.append(required(f"{field}.topologyKey", "can not be empty"))
    return errors + each(f"{field}.topologyKey", key, names.qualified_name(key))


def spread_errors(constraints: list[Object], field: str) -> Errors:
    errors: Errors = []
    pairs = [(each_of.get("topologyKey", ""), each_of.get("whenUnsatisfiable", "")) for each_of in constraints]
    for index, constraint in enumerate(constraints):
        place, skew = f"{field}[{index}]", constraint.get("maxSkew", 0)
        key, action = pairs[index]
        if skew <= 0:
            errors.append(invalid(f"{place}.maxSkew", skew, "must be greater than zero"))
        if not key:
            errors.append(required(f"{place}.topologyKey", "can not be empty"))
        if action not in _ACTIONS:
            errors.append(not_supported(f"{place}.whenUnsatisfiable", action, _ACTIONS))
        if (key, action) in pairs[index + 1 :]:
            errors.append(duplicate(f"{place}.{{topologyKey, whenUnsatisfiable}}", f"{{{key}, {action}}}"))
        errors += label_selector(f"{place}.labelSelector", constraint.get("labelSelector"))
    return errors
