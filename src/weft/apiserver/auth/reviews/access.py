"""Access reviews: may somebody do something ("Checking API access")? Pure."""

from collections.abc import Mapping
from typing import Any

from weft.apiserver.auth.access import Attributes, Authorizer, User
from weft.apiserver.auth.authorize import ServerAuthorizer
from weft.apiserver.auth.rbac.authorizer import aggregate
from weft.apiserver.registry.failures import bad_request
from weft.apiserver.registry.kind import FieldError, Object
from weft.apiserver.selectors import fields
from weft.cluster.errors import ApiError, from_status

_GROUP = "authorization.k8s.io"
_ALL = "*"


def subject_access_review(body: Object, authorizer: Authorizer) -> Object:
    """SubjectAccessReview: about the user in spec."""
    spec = _checked(body, "must be empty")
    return _answered(body, _subject(spec), spec, authorizer)


def local_subject_access_review(body: Object, namespace: str, authorizer: Authorizer) -> Object:
    """LocalSubjectAccessReview: about the user in spec, in one namespace, so that its administrators may ask."""
    metadata = body.get("metadata") or {}
    spec = _checked(body, "must be empty except for namespace", passed=("namespace",))
    if namespace != (metadata.get("namespace") or namespace):
        raise bad_request(f"spec.resourceAttributes.namespace must match namespace: {namespace}")
    errors: list[FieldError] = []
    if (resource := spec.get("resourceAttributes")) and (resource.get("namespace") or "") != namespace:
        path, given = "spec.resourceAttributes.namespace", resource.get("namespace") or ""
        errors.append(FieldError("FieldValueInvalid", path, "must match metadata.namespace", given))
    if spec.get("nonResourceAttributes"):
        path, given = "spec.nonResourceAttributes", spec["nonResourceAttributes"]
        errors.append(FieldError("FieldValueInvalid", path, "disallowed on this kind of request", given))
    _raise(errors)
    return _answered(body, _subject(spec), spec, authorizer)


def self_subject_access_review(user: User, body: Object, authorizer: Authorizer) -> Object:
    """SelfSubjectAccessReview: about the one who asks (`kubectl auth can-i`)."""
    return _answered(body, user, _checked(body, "must be empty", own=True), authorizer)


def self_subject_rules_review(user: User, body: Object, authorizer: ServerAuthorizer) -> Object:
    """SelfSubjectRulesReview: all that the one who asks may do in a namespace (`kubectl auth can-i --list`)."""
    namespace = (body.get("spec") or {}).get("namespace") or ""
    if not namespace:
        raise bad_request("no namespace on request")
    rules, errors, incomplete = authorizer.rules(user, namespace)
    status: Object = {
        "resourceRules": [
            _without_empty(
                {
                    "verbs": list(rule.verbs),
                    "apiGroups": list(rule.groups),
                    "resources": list(rule.resources),
                    "resourceNames": list(rule.names),
                }
            )
            for rule in rules
            if rule.resources
        ],
        "nonResourceRules": [
            {"verbs": list(rule.verbs), "nonResourceURLs": list(rule.urls)} for rule in rules if rule.urls
        ],
        "incomplete": incomplete,
    }
    if errors:
        status["evaluationError"] = aggregate(errors)
    return {
        "kind": "SelfSubjectRulesReview",
        "apiVersion": f"{_GROUP}/v1",
        "metadata": {},
        "spec": {},
        "status": status,
    }


def _answered(body: Object, user: User, spec: Object, authorizer: Authorizer) -> Object:
    attributes, error = _attributes(spec)
    decision = authorizer.authorize(user, attributes)
    status: Object = {"allowed": decision.allowed}
    if decision.reason:
        status["reason"] = decision.reason
    if error:
        status["evaluationError"] = error
    return {
        "kind": body.get("kind", ""),
        "apiVersion": f"{_GROUP}/v1",
        "metadata": body.get("metadata") or {},
        "spec": spec,
        "status": status,
    }


def _subject(spec: Object) -> User:
    extra = {key: tuple(values or ()) for key, values in (spec.get("extra") or {}).items()}
    return User(spec.get("user") or "", spec.get("uid") or "", tuple(spec.get("groups") or ()), extra)


def _attributes(spec: Object) -> tuple[Attributes, str]:
    """What is asked, and what of it could not be understood."""
    if path := spec.get("nonResourceAttributes"):
        return Attributes(path.get("verb") or "", path=path.get("path") or ""), ""
    resource: Mapping[str, Any] = spec["resourceAttributes"]
    selector, error = _field_selector(resource.get("fieldSelector") or {})
    attributes = Attributes(
        resource.get("verb") or "",
        resource.get("group") or "",
        resource.get("version") or _ALL,
        resource.get("resource") or "",
        resource.get("subresource") or "",
        resource.get("namespace") or "",
        resource.get("name") or "",
        field_selector=selector,
    )
    return attributes, error


def _field_selector(given: Mapping[str, Any]) -> tuple[tuple[tuple[str, str], ...], str]:
    name = "spec.resourceAttributes.fieldSelector"
    if raw := given.get("rawSelector"):
        try:
            found = fields.parse(raw)
        except ValueError:
            return (), f"{name} ignored due to parse error"
        return tuple((each.field, each.value) for each in found.requirements if each.equal), ""
    understood: list[tuple[str, str]] = []
    known = 0
    requirements = given.get("requirements") or ()
    for each in requirements:
        values: list[str] = each.get("values") or []
        if each.get("operator") in ("In", "NotIn") and len(values) == 1:
            known += 1
            if each["operator"] == "In":
                understood.append((each.get("key", ""), values[0]))
    if known == len(requirements):
        return tuple(understood), ""
    return tuple(understood), f"{name} {'partially ignored' if known else 'ignored'} due to parse error"


def _checked(body: Object, metadata_rule: str, *, passed: tuple[str, ...] = (), own: bool = False) -> Object:
    """The spec; raises Invalid unless it asks exactly one thing (about somebody, if not one's own)."""
    spec: Object = body.get("spec") or {}
    errors: list[FieldError] = []
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if resource is not None and path is not None:
        why = "cannot be specified in combination with resourceAttributes"
        errors.append(FieldError("FieldValueInvalid", "spec.nonResourceAttributes", why, path))
    if resource is None and path is None:
        why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        errors.append(FieldError("FieldValueInvalid", "spec.resourceAttributes", why, None))
    if not own and not spec.get("user") and not spec.get("groups"):
        why = "at least one of user or group must be specified"
        errors.append(FieldError("FieldValueInvalid", "spec.user", why, spec.get("user") or ""))
    for kind in ("fieldSelector", "labelSelector"):
        errors += _check_selector(f"spec.resourceAttributes.{kind}", (resource or {}).get(kind))
    given = {key: value for key, value in (body.get("metadata") or {}).items() if value is not None}
    if given.keys() - {"managedFields", "creationTimestamp", *passed}:
        errors.append(FieldError("FieldValueInvalid", "metadata", metadata_rule, given))
    _raise(errors)
    return spec


def _check_selector(path: str, selector: Mapping[str, Any] | None) -> list[FieldError]:
    if selector is None:
        return []
    raw, requirements = selector.get("rawSelector"), selector.get("requirements")
    if raw and requirements:
        why = "may not specified at the same time as requirements"
        return [FieldError("FieldValueInvalid", f"{path}.rawSelector", why, raw)]
    if not raw and not requirements:
        why = f"when {path} is specified, requirements or rawSelector is required"
        return [FieldError("FieldValueRequired", f"{path}.requirements", why)]
    return []


def _raise(errors: list[FieldError]) -> None:
    if errors:
        raise invalid_review(_GROUP, errors)


def invalid_review(group: str, errors: list[FieldError]) -> ApiError:
    """422 as kube-apiserver words it for what is never stored: the kind is not told, only its group."""
    texts = list(dict.fromkeys(f"{error.field}: {error.text()}" for error in errors))
    joined = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    causes = [{"reason": error.type, "message": error.text(), "field": error.field} for error in errors]
    return from_status(422, "Invalid", f'.{group} "" is invalid: {joined}', {"group": group, "causes": causes})


def _without_empty(fields_: Object) -> Object:
    return {key: value for key, value in fields_.items() if value}
