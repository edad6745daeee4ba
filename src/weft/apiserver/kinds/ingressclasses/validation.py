"""Validation of IngressClasses (pkg/apis/networking/validation)."""

import re

from weft.apiserver.kinds.ingresses.validation import reference_errors
from weft.apiserver.kinds.rules import names
from weft.apiserver.kinds.rules.errors import Errors, each, forbidden, immutable, invalid, one_of, required, too_long
from weft.apiserver.registry.kind import Object

_LONGEST = 250
_PATH = re.compile(r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+")


def validate_ingress_class(found: Object) -> Errors:
    spec = found.get("spec") or {}
    controller = spec.get("controller", "")
    errors = [too_long("spec.controller", _LONGEST)] if len(controller) > _LONGEST else []
    return errors + _domain_path("spec.controller", controller) + _parameters(spec.get("parameters"))


def validate_update(found: Object, old: Object) -> Errors:
    new, before = (each_of.get("spec", {}).get("controller", "") for each_of in (found, old))
    return immutable("spec.controller", new, before) + validate_ingress_class(found)


def _domain_path(field: str, text: str) -> Errors:
    """`example.com/ingress-controller`"""
    if not text:
        return [required(field)]
    domain, slash, path = text.partition("/")
    if not slash or not path or not domain:
        return [invalid(field, text, 'must be a domain-prefixed path (such as "acme.io/foo")')]
    errors = each(field, domain, names.subdomain(domain))
    if not _PATH.fullmatch(path):
        errors.append(invalid(field, path, f"Invalid path (regex used for validation is '{_PATH.pattern}')"))
    return errors


def _parameters(parameters: Object | None) -> Errors:
    if not parameters:
        return []
    field, scope, namespace = "spec.parameters", parameters.get("scope"), parameters.get("namespace")
    errors = reference_errors(parameters, field)
    if scope is None:
        return [*errors, required(f"{field}.scope")]
    errors += one_of(f"{field}.scope", scope, ("Cluster", "Namespace"))
    if scope == "Namespace":
        if not namespace:
            errors.append(required(f"{field}.namespace", "`parameters.scope` is set to 'Namespace'"))
        else:
            errors += each(f"{field}.namespace", namespace, names.label(namespace))
    if scope == "Cluster" and namespace is not None:
        errors.append(forbidden(f"{field}.namespace", "`parameters.scope` is set to 'Cluster'"))
    return errors
