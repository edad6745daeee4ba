"""What concerns load balancers: the class of a Service and the addresses in its status."""

from ipaddress import ip_address

from weft.apiserver.kinds.rules import names
from weft.apiserver.kinds.rules.addresses import legacy_address
from weft.apiserver.kinds.rules.errors import Errors, each, forbidden, invalid, not_supported, required
from weft.apiserver.registry.kind import Object

_MODES = ("Proxy", "VIP")


def class_errors(spec: Object) -> Errors:
    name = spec.get("loadBalancerClass")
    if name is None:
        return []
    if spec.get("type") != "LoadBalancer":
        return [forbidden("spec.loadBalancerClass", "may only be used when `type` is 'LoadBalancer'")]
    return each("spec.loadBalancerClass", name, names.qualified_name(name))


def class_update_errors(spec: Object, old: Object) -> Errors:
    both = spec.get("type") == old.get("type") == "LoadBalancer"
    if both and spec.get("loadBalancerClass") != old.get("loadBalancerClass"):
        return [invalid("spec.loadBalancerClass", spec.get("loadBalancerClass"), "may not change once set")]
    return []


def validate_status(service: Object, old: Object) -> Errors:
    entries = service.get("status", {}).get("loadBalancer", {}).get("ingress", [])
    field = "status.loadBalancer.ingress"
    if service["spec"].get("type") != "LoadBalancer" and entries:
        return [forbidden(field, "may only be used when `spec.type` is 'LoadBalancer'")]
    before = old.get("status", {}).get("loadBalancer", {}).get("ingress", [])
    existing = [entry["ip"] for entry in before if entry.get("ip")]
    errors: Errors = []
    for index, entry in enumerate(entries):
        errors += _entry(entry, f"{field}[{index}]", existing)
    return errors


def _entry(entry: Object, field: str, existing: list[str]) -> Errors:
    address, mode, host = entry.get("ip", ""), entry.get("ipMode"), entry.get("hostname", "")
    errors = legacy_address(f"{field}.ip", address, existing) if address else []
    if mode is None and address:
        errors.append(required(f"{field}.ipMode", "must be specified when `ip` is set"))
    elif mode is not None and not address:
        errors.append(forbidden(f"{field}.ipMode", "may not be specified when `ip` is not set"))
    elif mode is not None and mode not in _MODES:
        errors.append(not_supported(f"{field}.ipMode", mode, _MODES))
    if host:
        errors += each(f"{field}.hostname", host, names.subdomain(host))
        if _is_address(host):
            errors.append(invalid(f"{field}.hostname", host, "must be a DNS name, not an IP address"))
    return errors


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
