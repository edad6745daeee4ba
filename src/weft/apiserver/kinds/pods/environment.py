"""Validation of environment variables and their sources (pkg/apis/core/validation: ValidateEnv)."""

import re
from collections.abc import Collection

from weft.apiserver.kinds.rules import names
from weft.apiserver.kinds.rules.errors import Errors, each, invalid, not_supported, required
from weft.apiserver.registry.kind import Object

_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
_CONVERTIBLE = (
    *_FIELDS,
    "metadata.annotations",
    "metadata.labels",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.hostNetwork",
    "status.phase",
    "status.nominatedNodeName",
)
_RESOURCES = (
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
)
_HUGE_PAGES = ("requests.hugepages-", "limits.hugepages-")
_SUBSCRIPT = re.compile(r"(.+)\['([^']*)'\]")
_SIZES = ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei")
_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")


def env_errors(variables: list[Object], field: str) -> Errors:
    errors: Errors = []
    for index, variable in enumerate(variables):
        place, name = f"{field}[{index}]", variable.get("name", "")
        errors += each(f"{place}.name", name, names.environment(name)) if name else [required(f"{place}.name")]
        if variable.get("valueFrom") is not None:
            errors += _value_from(variable, f"{place}.valueFrom")
    return errors


def env_from_errors(sources: list[Object], field: str) -> Errors:
    errors: Errors = []
    for index, source in enumerate(sources):
        place = f"{field}[{index}]"
        if source.get("prefix"):
            errors += each(f"{place}.prefix", source["prefix"], names.environment(source["prefix"]))
        given = [name for name in ("configMapRef", "secretRef") if source.get(name) is not None]
        for name in given:
            target = source[name].get("name", "")
            where = f"{place}.{name}.name"
            errors += each(where, target, names.subdomain(target)) if target else [required(where)]
        if not given:
            errors.append(invalid(field, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif len(given) > 1:
            errors.append(invalid(field, "", "may not have more than one field specified at a time"))
    return errors


def field_ref_errors(reference: Object, field: str, allowed: Collection[str]) -> Errors:
    """A downward API field; `allowed` in the order of the message."""
    if not reference.get("apiVersion"):
        return [required(f"{field}.apiVersion")]
    path = reference.get("fieldPath", "")
    if not path:
        return [required(f"{field}.fieldPath")]
    found = _SUBSCRIPT.fullmatch(path)
    bare = found[1] if found else path
    if bare not in _CONVERTIBLE:
        detail = f"error converting fieldPath: field label not supported: {path}"
        return [invalid(f"{field}.fieldPath", path, detail)]
    if found:
        if bare not in ("metadata.annotations", "metadata.labels"):
            return [invalid(field, bare, "does not support subscript")]
        key = found[2].lower() if bare == "metadata.annotations" else found[2]
        return each(field, key, names.qualified_name(key))
    return [] if path in allowed else [not_supported(f"{field}.fieldPath", path, sorted(allowed))]


def resource_ref_errors(reference: Object, field: str, *, container_needed: bool) -> Errors:
    resource, divisor = reference.get("resource", ""), reference.get("divisor", "0")
    errors: Errors = []
    if container_needed and not reference.get("containerName"):
        errors.append(required(f"{field}.containerName"))
    elif not resource:
        errors.append(required(f"{field}.resource"))
    elif resource not in _RESOURCES and not resource.startswith(_HUGE_PAGES):
        errors.append(not_supported(f"{field}.resource", resource, _RESOURCES))
    if divisor == "0":
        return errors
    kind = resource.partition(".")[2]
    if kind == "cpu" and divisor not in ("1m", "1"):
        detail = "only divisor's values 1m and 1 are supported with the cpu resource"
        errors.append(invalid(f"{field}.divisor", resource, detail))
    words = {"memory": "memory", "ephemeral-storage": "local ephemeral storage"}
    if kind in words and divisor not in _SIZES:
        detail = f"only divisor's values {', '.join(_SIZES)} are supported with the {words[kind]} resource"
        errors.append(invalid(f"{field}.divisor", resource, detail))
    return errors


def _value_from(variable: Object, field: str) -> Errors:
    source = variable["valueFrom"]
    given = [name for name in _SOURCES if source.get(name) is not None]
    errors: Errors = []
    for name in given:
        errors += _source(name, source[name], f"{field}.{name}")
    if not given:
        detail = (
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        )
        errors.append(invalid(field, "", detail))
    elif variable.get("value"):
        errors.append(invalid(field, "", "may not be specified when `value` is not empty"))
    elif len(given) > 1:
        errors.append(invalid(field, "", "may not have more than one field specified at a time"))
    return errors


def _source(name: str, reference: Object, field: str) -> Errors:
    if name == "fieldRef":
        return field_ref_errors(reference, field, _FIELDS)
    if name == "resourceFieldRef":
        return resource_ref_errors(reference, field, container_needed=False)
    key = reference.get("key", "")
    if name == "fileKeyRef":
        return [required(f"{field}.{part}") for part in ("key", "volumeName", "path") if not reference.get(part)]
    target = reference.get("name", "")
    errors = each(f"{field}.name", target, names.subdomain(target))
    return errors + (each(f"{field}.key", key, names.config_key(key)) if key else [required(f"{field}.key")])
