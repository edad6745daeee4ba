"""What an update of a Service keeps though it was not repeated, and what a change of type takes away."""

from weft.apiserver.kinds.services.assign import needs_health_check
from weft.apiserver.kinds.services.defaults import externally_accessible
from weft.apiserver.registry.kind import Object


def carry_over(new: Object, old: Object) -> None:
    """Both are specs. Clients that replace an object need not repeat what the server chose."""
    addressed = new["type"] != "ExternalName" and old.get("type") != "ExternalName"
    if addressed:
        if not new.get("clusterIP") and old.get("clusterIP"):
            new["clusterIP"] = old["clusterIP"]
        if not new.get("clusterIPs") and old.get("clusterIPs"):
            new["clusterIPs"] = list(old["clusterIPs"])
    if _has_node_ports(new) and _has_node_ports(old):
        _carry_node_ports(new, old)
    if needs_health_check(new) and needs_health_check(old) and not new.get("healthCheckNodePort"):
        new["healthCheckNodePort"] = old.get("healthCheckNodePort", 0)
    _match_addresses(new, old)


def drop_what_the_type_lost(new_object: Object, old_object: Object) -> None:
    """A field goes when it no longer applies and its value is still the old one; else validation will tell."""
    new, old = new_object["spec"], old_object["spec"]
    if old.get("type") != "ExternalName" and new["type"] == "ExternalName":
        if _same(new, old, "clusterIP") and _same(new, old, "clusterIPs"):
            _drop(new, "clusterIP", "clusterIPs")
        for name in ("ipFamilies", "ipFamilyPolicy"):
            if _same(new, old, name):
                _drop(new, name)
    if _typed_node_ports(old) and not _typed_node_ports(new) and _node_ports(new) <= _node_ports(old):
        for port in new.get("ports", ()):
            port.pop("nodePort", None)
    if needs_health_check(old) and not needs_health_check(new) and _same(new, old, "healthCheckNodePort"):
        _drop(new, "healthCheckNodePort")
    if old.get("type") == "LoadBalancer" and new["type"] != "LoadBalancer":
        for name in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
            if _same(new, old, name):
                _drop(new, name)
    if externally_accessible(old) and not externally_accessible(new) and _same(new, old, "externalTrafficPolicy"):
        _drop(new, "externalTrafficPolicy")
    if new["type"] != "LoadBalancer" and "status" in new_object:
        new_object["status"]["loadBalancer"] = {}


def _carry_node_ports(new: Object, old: Object) -> None:
    kept = _node_ports(old) & _node_ports(new)
    by_name = {port.get("name", ""): port.get("nodePort", 0) for port in old.get("ports", ())}
    for port in new.get("ports", ()):
        number = by_name.get(port.get("name", ""), 0)
        if not port.get("nodePort") and number and number not in kept:
            port["nodePort"] = number


def _match_addresses(new: Object, old: Object) -> None:
    """Old clients know only the singular: its change counts for the plural."""
    singular, before = new.get("clusterIP", ""), old.get("clusterIP", "")
    if singular == before:
        return
    if before and not singular:
        if new.get("clusterIPs") == old.get("clusterIPs"):
            _drop(new, "clusterIPs")
    elif new.get("clusterIPs") == old.get("clusterIPs"):
        new["clusterIPs"] = [singular]


def _has_node_ports(spec: Object) -> bool:
    return spec.get("type") == "NodePort" or (
        spec.get("type") == "LoadBalancer" and bool(spec.get("allocateLoadBalancerNodePorts", True))
    )


def _typed_node_ports(spec: Object) -> bool:
    return spec.get("type") in ("NodePort", "LoadBalancer")


def _node_ports(spec: Object) -> set[int]:
    return {port["nodePort"] for port in spec.get("ports", ()) if port.get("nodePort")}


def _same(new: Object, old: Object, name: str) -> bool:
    return bool(new.get(name) == old.get(name))


def _drop(spec: Object, *names: str) -> None:
    for name in names:
        spec.pop(name, None)
