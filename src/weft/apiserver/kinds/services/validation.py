"""Validation of Services (pkg/apis/core/validation: validateService and what it calls)."""

from collections.abc import Iterator
from typing import Any

from weft.apiserver.kinds.rules import names
from weft.apiserver.kinds.rules.addresses import endpoint_address, legacy_address, legacy_range
from weft.apiserver.kinds.rules.errors import (
    Errors,
    duplicate,
    each,
    forbidden,
    invalid,
    not_supported,
    one_of,
    required,
)
from weft.apiserver.kinds.rules.selectors import labels
from weft.apiserver.kinds.services.addressing import addressing_errors, headless
from weft.apiserver.kinds.services.assign import needs_health_check
from weft.apiserver.kinds.services.balancers import class_errors
from weft.apiserver.kinds.services.defaults import externally_accessible
from weft.apiserver.registry.kind import Object

PROTOCOLS = ("SCTP", "TCP", "UDP")
_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_DISTRIBUTIONS = ("PreferClose", "PreferSameZone", "PreferSameNode")
_SOURCE_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"
_LONGEST_AFFINITY = 86400
_ONLY_BALANCERS = "may only be used when `type` is 'LoadBalancer'"


def validate_service(service: Object, old: Object | None = None) -> Errors:
    spec = service.get("spec", {})
    before = (old or {}).get("spec", {})
    ports = spec.get("ports", [])
    errors: Errors = []
    if not ports and not headless(spec) and spec.get("type") != "ExternalName":
        errors.append(required("spec.ports"))
    errors += _by_type(spec)
    errors += _ports(ports)
    errors += labels("spec.selector", spec.get("selector", {}))
    errors += _affinity(spec)
    errors += addressing_errors(spec, before or None)
    for index, text in enumerate(spec.get("externalIPs", ())):
        field = f"spec.externalIPs[{index}]"
        errors += legacy_address(field, text, before.get("externalIPs", ())) or endpoint_address(field, text)
    errors += one_of("spec.type", spec.get("type"), _TYPES)
    errors += _node_ports(spec, ports)
    errors += _source_ranges(service, before)
    if "allocateLoadBalancerNodePorts" in spec and spec.get("type") != "LoadBalancer":
        errors.append(forbidden("spec.allocateLoadBalancerNodePorts", _ONLY_BALANCERS))
    errors += class_errors(spec)
    return errors + _traffic(spec)


def _by_type(spec: Object) -> Errors:
    errors: Errors = []
    kind = spec.get("type")
    if kind in ("LoadBalancer", "NodePort") and headless(spec):
        errors.append(invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {kind} services"))
    if kind == "ExternalName":
        for name in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if spec.get(name):
                errors.append(forbidden(f"spec.{name}", "may not be set for ExternalName services"))
        target = spec.get("externalName", "").removesuffix(".")
        if target:
            errors += each("spec.externalName", target, names.subdomain(target))
        else:
            errors.append(required("spec.externalName"))
    return errors


def _ports(ports: list[Object]) -> Errors:
    errors: Errors = []
    seen: set[str] = set()
    for index, port in enumerate(ports):
        errors += _port(port, f"spec.ports[{index}]", len(ports) > 1, seen)
    return errors


def _port(port: Object, field: str, named: bool, seen: set[str]) -> Errors:
    errors: Errors = []
    name, protocol = port.get("name", ""), port.get("protocol", "")
    if named and not name:
        errors.append(required(f"{field}.name"))
    elif name:
        errors += each(f"{field}.name", name, names.label(name))
        if name in seen:
            errors.append(duplicate(f"{field}.name", name))
        seen.add(name)
    number = port.get("port", 0)
    errors += each(f"{field}.port", number, names.port_number(number))
    errors += one_of(f"{field}.protocol", protocol, PROTOCOLS)
    target = port.get("targetPort", 0)
    errors += each(f"{field}.targetPort", target, names.port_number_or_name(target))
    if "appProtocol" in port:
        errors += each(f"{field}.appProtocol", port["appProtocol"], names.qualified_name(port["appProtocol"]))
    return errors


def _affinity(spec: Object) -> Errors:
    affinity, config = spec.get("sessionAffinity", ""), spec.get("sessionAffinityConfig")
    errors = one_of("spec.sessionAffinity", affinity, ("ClientIP", "None"))
    if affinity == "None" and config is not None:
        errors.append(forbidden("spec.sessionAffinityConfig", "must not be set when session affinity is None"))
    if affinity == "ClientIP":
        seconds = ((config or {}).get("clientIP") or {}).get("timeoutSeconds")
        field = "spec.sessionAffinityConfig.clientIP.timeoutSeconds"
        if seconds is None:
            errors.append(required(field, "when session affinity type is ClientIP"))
        elif not 0 < seconds <= _LONGEST_AFFINITY:
            errors.append(invalid(field, seconds, f"must be greater than 0 and less than {_LONGEST_AFFINITY}"))
    return errors


def _node_ports(spec: Object, ports: list[Object]) -> Errors:
    errors: Errors = []
    if spec.get("type") == "ClusterIP":
        errors += [
            forbidden(f"spec.ports[{index}].nodePort", "may not be used when `type` is 'ClusterIP'")
            for index, port in enumerate(ports)
            if port.get("nodePort")
        ]
    for index, port in _repeated(ports, "nodePort"):
        errors.append(duplicate(f"spec.ports[{index}].nodePort", port["nodePort"]))
    for index, port in _repeated(ports, "port"):
        errors.append(duplicate(f"spec.ports[{index}]", _go_port(port)))
    return errors


def _go_port(port: Object) -> Any:
    """As Go marshals the bare struct that upstream compares: every field, in its order."""
    return {
        "Name": "",
        "Protocol": port.get("protocol", ""),
        "AppProtocol": None,
        "Port": port["port"],
        "TargetPort": 0,
        "NodePort": 0,
    }


def _repeated(ports: list[Object], name: str) -> Iterator[tuple[int, Object]]:
    seen: set[tuple[Any, Any]] = set()
    for index, port in enumerate(ports):
        key = (port.get("protocol"), port.get(name))
        if port.get(name) and key in seen:
            yield index, port
        seen.add(key)


def _source_ranges(service: Object, before: Object) -> Errors:
    spec = service["spec"]
    ranges = [text.strip() for text in spec.get("loadBalancerSourceRanges", ())]
    field = "spec.LoadBalancerSourceRanges"
    if not ranges:
        text = service.get("metadata", {}).get("annotations", {}).get(_SOURCE_RANGES)
        if text is None:
            return []
        field = f"metadata.annotations[{_SOURCE_RANGES}]"
        ranges = [part.strip() for part in text.split(",")] if text.strip() else []
    errors = [] if spec.get("type") == "LoadBalancer" else [forbidden(field, _ONLY_BALANCERS)]
    existing = [text.strip() for text in before.get("loadBalancerSourceRanges", ())]
    for index, text in enumerate(ranges):
        place = field if field.startswith("metadata") else f"{field}[{index}]"
        errors += legacy_range(place, text, existing)
    return errors


def _traffic(spec: Object) -> Errors:
    errors: Errors = []
    policy = spec.get("externalTrafficPolicy", "")
    if externally_accessible(spec):
        errors += one_of("spec.externalTrafficPolicy", policy, ("Cluster", "Local"))
    elif policy:
        detail = "may only be set for externally-accessible services"
        errors.append(invalid("spec.externalTrafficPolicy", policy, detail))
    errors += _health_check(spec)
    inner = spec.get("internalTrafficPolicy")
    if inner is None and spec.get("type") in ("NodePort", "LoadBalancer", "ClusterIP"):
        errors.append(required("spec.internalTrafficPolicy"))
    elif inner is not None and inner not in ("Cluster", "Local"):
        errors.append(not_supported("spec.internalTrafficPolicy", inner, ("Cluster", "Local")))
    distribution = spec.get("trafficDistribution")
    if distribution is not None and distribution not in _DISTRIBUTIONS:
        errors.append(not_supported("spec.trafficDistribution", distribution, _DISTRIBUTIONS))
    return errors


def _health_check(spec: Object) -> Errors:
    port = spec.get("healthCheckNodePort", 0)
    field = "spec.healthCheckNodePort"
    if needs_health_check(spec):
        return each(field, port, names.port_number(port)) if port else [required(field)]
    if port:
        detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        return [invalid(field, port, detail)]
    return []
