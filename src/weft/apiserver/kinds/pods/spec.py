"""Validation of pod specs, of pods and of templates (pkg/apis/core/validation: ValidatePodSpec).

Not checked, because nothing of Weft acts on it: Windows, resource claims, resize policies, volumes of cloud providers.
"""

from weft.apiserver.kinds.pods.containers import container_errors
from weft.apiserver.kinds.pods.network import alias_errors, dns_errors, host_network_errors
from weft.apiserver.kinds.pods.scheduling import affinity_errors, spread_errors, toleration_errors
from weft.apiserver.kinds.pods.security import pod_security_errors
from weft.apiserver.kinds.pods.volumes import volume_errors
from weft.apiserver.kinds.rules import names
from weft.apiserver.kinds.rules.errors import Errors, duplicate, each, forbidden, invalid, not_supported, required
from weft.apiserver.kinds.rules.numbers import not_negative_quantity
from weft.apiserver.kinds.rules.selectors import labels
from weft.apiserver.registry.kind import Object

_RESTART = ("Always", "OnFailure", "Never")
_DNS = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_PREEMPTION = ("Never", "PreemptLowerPriority")
_LONGEST = 2**31 - 1


def spec_errors(spec: Object, field: str, *, is_pod: bool) -> Errors:
    errors: Errors = []
    if spec.get("terminationGracePeriodSeconds") is None:
        errors.append(required(f"{field}.terminationGracePeriodSeconds"))
    volumes, found = volume_errors(spec.get("volumes") or [], f"{field}.volumes")
    errors += found
    errors += container_errors(spec, field, volumes)
    errors += host_network_errors(spec, field, is_pod=is_pod)
    errors += _choice(f"{field}.restartPolicy", spec.get("restartPolicy"), _RESTART)
    errors += _choice(f"{field}.dnsPolicy", spec.get("dnsPolicy"), _DNS)
    errors += labels(f"{field}.nodeSelector", spec.get("nodeSelector") or {})
    errors += pod_security_errors(spec, field)
    errors += affinity_errors(spec.get("affinity") or {}, f"{field}.affinity")
    errors += dns_errors(spec, f"{field}.dnsConfig")
    errors += _gates(spec, field)
    errors += spread_errors(spec.get("topologySpreadConstraints") or [], f"{field}.topologySpreadConstraints")
    errors += _host_users(spec, field)
    errors += _names(spec, field)
    errors += toleration_errors(spec.get("tolerations") or [], f"{field}.tolerations")
    errors += alias_errors(spec.get("hostAliases") or [], f"{field}.hostAliases")
    return errors + _classes(spec, field)


def _choice(field: str, value: str | None, allowed: tuple[str, ...]) -> Errors:
    if not value:
        return [required(field)]
    return [] if value in allowed else [not_supported(field, value, allowed)]


def _gates(spec: Object, field: str) -> Errors:
    errors: Errors = []
    for index, gate in enumerate(spec.get("readinessGates") or ()):
        name = gate.get("conditionType", "")
        errors += each(f"{field}.readinessGates[{index}].conditionType", name, names.qualified_name(name))
    seen: set[str] = set()
    for index, gate in enumerate(spec.get("schedulingGates") or ()):
        name, place = gate.get("name", ""), f"{field}.schedulingGates[{index}]"
        errors += each(place, name, names.qualified_name(name))
        if name in seen:
            errors.append(duplicate(place, name))
        seen.add(name)
    return errors


def _host_users(spec: Object, field: str) -> Errors:
    if spec.get("hostUsers", True):
        return []
    detail = "when `hostUsers` is false"
    return [
        forbidden(f"{field}.{shown}", detail)
        for name, shown in (("hostPID", "HostPID"), ("hostIPC", "HostIPC"))
        if spec.get(name)
    ]


def _names(spec: Object, field: str) -> Errors:
    errors: Errors = []
    for name, messages in (
        ("serviceAccountName", names.subdomain),
        ("nodeName", names.subdomain),
        ("hostname", names.label),
        ("subdomain", names.label),
    ):
        if spec.get(name):
            errors += each(f"{field}.{name}", spec[name], messages(spec[name]))
        if name == "nodeName" and spec.get("activeDeadlineSeconds") is not None:
            seconds = spec["activeDeadlineSeconds"]
            errors += each(f"{field}.activeDeadlineSeconds", seconds, names.between(seconds, 1, _LONGEST))
    return errors


def _classes(spec: Object, field: str) -> Errors:
    errors: Errors = []
    for name in ("priorityClassName", "runtimeClassName"):
        if spec.get(name) or (name == "runtimeClassName" and name in spec):
            errors += each(f"{field}.{name}", spec[name], names.subdomain(spec[name]))
    policy = spec.get("preemptionPolicy")
    if policy is not None:
        errors += _choice(f"{field}.preemptionPolicy", policy, _PREEMPTION)
    for name, text in (spec.get("overhead") or {}).items():
        errors += not_negative_quantity(f"{field}.overhead.{name}", text)
    system = (spec.get("os") or {}).get("name")
    if spec.get("os") is not None and system not in ("linux", "windows"):
        place = f"{field}.os"
        errors += [required(f"{place}.name")] if not system else [not_supported(place, system, ("linux", "windows"))]
    override = spec.get("hostnameOverride")
    if override is not None:
        if spec.get("setHostnameAsFQDN"):
            detail = "may not be specified when setHostnameAsFQDN is true"
            errors.append(forbidden(f"{field}.hostnameOverride", detail))
        errors += each(f"{field}.hostnameOverride", override, names.subdomain(override))
    priority = spec.get("priority")
    if priority is not None and not -(2**31) <= priority < 2**31:
        errors.append(invalid(f"{field}.priority", priority, "must fit 32 bits"))
    return errors
