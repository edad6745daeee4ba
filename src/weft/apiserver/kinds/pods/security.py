"""Validation of security contexts, of pods and of containers (pkg/apis/core/validation: ValidateSecurityContext)."""

import re

from weft.apiserver.kinds.pods.paths import descending_path
from weft.apiserver.kinds.rules import names
from weft.apiserver.kinds.rules.errors import Errors, duplicate, each, invalid, not_supported, required
from weft.apiserver.registry.kind import Object

_MOST = 2**31 - 1
_SYSCTL = r"^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
_LONGEST_SYSCTL = 253
_PROFILES = ("Localhost", "RuntimeDefault", "Unconfined")
_CHOICES = {
    "fsGroupChangePolicy": ("Always", "OnRootMismatch"),
    "supplementalGroupsPolicy": ("Merge", "Strict"),
}


def pod_security_errors(spec: Object, field: str) -> Errors:
    context, field = spec.get("securityContext") or {}, f"{field}.securityContext"
    errors = _identities(context, field, ("fsGroup", "runAsUser", "runAsGroup"))
    for index, group in enumerate(context.get("supplementalGroups") or ()):
        errors += each(f"{field}.supplementalGroups[{index}]", group, names.between(group, 0, _MOST))
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        detail = "ShareProcessNamespace and HostPID cannot both be enabled"
        errors.append(invalid(f"{field}.shareProcessNamespace", True, detail))
    errors += _sysctls(context.get("sysctls") or [], f"{field}.sysctls")
    for name, allowed in _CHOICES.items():
        if context.get(name) is not None and context[name] not in allowed:
            errors.append(not_supported(f"{field}.{name}", context[name], allowed))
    return errors + _profiles(context, field)


def security_errors(context: Object | None, field: str, *, host_users: bool) -> Errors:
    if not context:
        return []
    errors = _identities(context, field, ("runAsUser", "runAsGroup"))
    mount = context.get("procMount")
    if mount is not None and mount not in ("Default", "Unmasked"):
        errors.append(not_supported(f"{field}.procMount", mount, ("Default", "Unmasked")))
    if mount == "Unmasked" and host_users:
        errors.append(invalid(f"{field}.procMount", mount, "`hostUsers` must be false to use `Unmasked`"))
    errors += _profiles(context, field)
    if context.get("allowPrivilegeEscalation") is False:
        if context.get("privileged"):
            detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            errors.append(invalid(field, context, detail))
        if "CAP_SYS_ADMIN" in ((context.get("capabilities") or {}).get("add") or ()):
            detail = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            errors.append(invalid(field, context, detail))
    return errors


def _identities(context: Object, field: str, parts: tuple[str, ...]) -> Errors:
    return [
        error
        for name in parts
        if context.get(name) is not None
        for error in each(f"{field}.{name}", context[name], names.between(context[name], 0, _MOST))
    ]


def _sysctls(sysctls: list[Object], field: str) -> Errors:
    errors: Errors = []
    seen: set[str] = set()
    for index, sysctl in enumerate(sysctls):
        name, place = sysctl.get("name", ""), f"{field}[{index}].name"
        if not name:
            errors.append(required(place))
        elif len(name) > _LONGEST_SYSCTL or not re.match(_SYSCTL, name):
            shown = _SYSCTL
            detail = f"must have at most {_LONGEST_SYSCTL} characters and match regex {shown}"
            errors.append(invalid(place, name, detail))
        elif name in seen:
            errors.append(duplicate(place, name))
        seen.add(name)
    return errors


def _profiles(context: Object, field: str) -> Errors:
    errors: Errors = []
    for name, word in (("seccompProfile", "seccomp"), ("appArmorProfile", "AppArmor")):
        profile = context.get(name)
        if profile is None:
            continue
        place, kind, local = f"{field}.{name}", profile.get("type", ""), profile.get("localhostProfile")
        if not kind:
            errors.append(required(f"{place}.type", "type is required when seccompProfile is set"))
        elif kind not in _PROFILES:
            errors.append(not_supported(f"{place}.type", kind, _PROFILES))
        if kind == "Localhost" and local is None:
            detail = f"must be set when {word} type is Localhost"
            errors.append(required(f"{place}.localhostProfile", detail))
        elif kind == "Localhost":
            errors += descending_path(f"{place}.localhostProfile", local)
        elif local is not None:
            detail = f"can only be set when {word} type is Localhost"
            errors.append(invalid(f"{place}.localhostProfile", profile, detail))
    return errors
