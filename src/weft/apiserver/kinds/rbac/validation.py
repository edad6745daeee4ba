"""Validation of roles and bindings (pkg/apis/rbac/validation)."""

from weft.apiserver.kinds.rbac.defaults import GROUP
from weft.apiserver.kinds.rules import names
from weft.apiserver.kinds.rules.errors import Errors, each, invalid, not_supported, required
from weft.apiserver.kinds.rules.selectors import label_selector
from weft.apiserver.registry.kind import Object

_SUBJECTS = ("ServiceAccount", "User", "Group")


def validate_role(role: Object) -> Errors:
    return _rules(role, namespaced=True)


def validate_role_update(role: Object, _: Object) -> Errors:
    return validate_role(role)


def validate_cluster_role(role: Object) -> Errors:
    errors = _rules(role, namespaced=False)
    aggregation = role.get("aggregationRule")
    if aggregation is None:
        return errors
    field = "aggregationRule.clusterRoleSelectors"
    selectors = aggregation.get("clusterRoleSelectors") or []
    if not selectors:
        detail = "at least one clusterRoleSelector required if aggregationRule is non-nil"
        errors.append(required(field, detail))
    for index, selector in enumerate(selectors):
        errors += label_selector(f"{field}[{index}]", selector)
    return errors


def validate_cluster_role_update(role: Object, _: Object) -> Errors:
    return validate_cluster_role(role)


def validate_role_binding(binding: Object) -> Errors:
    return _binding(binding, ("Role", "ClusterRole"), namespaced=True)


def validate_cluster_role_binding(binding: Object) -> Errors:
    return _binding(binding, ("ClusterRole",), namespaced=False)


def validate_role_binding_update(binding: Object, old: Object) -> Errors:
    return validate_role_binding(binding) + _same_role(binding, old)


def validate_cluster_role_binding_update(binding: Object, old: Object) -> Errors:
    return validate_cluster_role_binding(binding) + _same_role(binding, old)


def _rules(role: Object, *, namespaced: bool) -> Errors:
    errors: Errors = []
    for index, rule in enumerate(role.get("rules") or ()):
        errors += _rule(rule, f"rules[{index}]", namespaced)
    return errors


def _rule(rule: Object, field: str, namespaced: bool) -> Errors:
    errors: Errors = []
    if not rule.get("verbs"):
        errors.append(required(f"{field}.verbs", "verbs must contain at least one value"))
    paths = rule.get("nonResourceURLs")
    if paths:
        if namespaced:
            detail = "namespaced rules cannot apply to non-resource URLs"
            errors.append(invalid(f"{field}.nonResourceURLs", paths, detail))
        if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
            detail = "rules cannot apply to both regular resources and non-resource URLs"
            errors.append(invalid(f"{field}.nonResourceURLs", paths, detail))
        return errors
    if not rule.get("apiGroups"):
        errors.append(required(f"{field}.apiGroups", "resource rules must supply at least one api group"))
    if not rule.get("resources"):
        errors.append(required(f"{field}.resources", "resource rules must supply at least one resource"))
    return errors


def _binding(binding: Object, kinds: tuple[str, ...], *, namespaced: bool) -> Errors:
    reference = binding.get("roleRef") or {}
    errors: Errors = []
    if reference.get("apiGroup") != GROUP:
        errors.append(not_supported("roleRef.apiGroup", reference.get("apiGroup", ""), (GROUP,)))
    if reference.get("kind") not in kinds:
        errors.append(not_supported("roleRef.kind", reference.get("kind", ""), kinds))
    name = reference.get("name", "")
    if name:
        errors += each("roleRef.name", name, names.path_segment(name))
    else:
        errors.append(required("roleRef.name"))
    for index, subject in enumerate(binding.get("subjects") or ()):
        errors += _subject(subject, f"subjects[{index}]", namespaced)
    return errors


def _subject(subject: Object, field: str, namespaced: bool) -> Errors:
    kind, name, group = subject.get("kind", ""), subject.get("name", ""), subject.get("apiGroup", "")
    errors = [] if name else [required(f"{field}.name")]
    if kind == "ServiceAccount":
        if name:
            errors += each(f"{field}.name", name, names.subdomain(name))
        if group:
            errors.append(not_supported(f"{field}.apiGroup", group, ("",)))
        if not namespaced and not subject.get("namespace"):
            errors.append(required(f"{field}.namespace"))
    elif kind in _SUBJECTS:
        if group != GROUP:
            errors.append(not_supported(f"{field}.apiGroup", group, (GROUP,)))
    else:
        errors.append(not_supported(f"{field}.kind", kind, _SUBJECTS))
    return errors


def _same_role(binding: Object, old: Object) -> Errors:
    reference = binding.get("roleRef") or {}
    if reference == old.get("roleRef"):
        return []
    shown = {"APIGroup": reference.get("apiGroup"), "Kind": reference.get("kind"), "Name": reference.get("name")}
    return [invalid("roleRef", shown, "cannot change roleRef")]
