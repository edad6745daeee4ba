"""Validation of NetworkPolicies (pkg/apis/networking/validation)."""

from collections.abc import Iterator, Sequence
from ipaddress import ip_network

from weft.apiserver.kinds.rules import names
from weft.apiserver.kinds.rules.addresses import legacy_range
from weft.apiserver.kinds.rules.errors import Errors, each, forbidden, invalid, not_supported, required
from weft.apiserver.kinds.rules.selectors import label_selector
from weft.apiserver.registry.kind import Object

_PROTOCOLS = ("TCP", "UDP", "SCTP")
_TYPES = ("Ingress", "Egress")
_DIRECTIONS = (("ingress", "from"), ("egress", "to"))


def validate_network_policy(policy: Object, existing: Sequence[str] = ()) -> Errors:
    """`existing`: ranges that stay valid because the old policy has them."""
    spec = policy.get("spec") or {}
    errors = label_selector("spec.podSelector", spec.get("podSelector"))
    for direction, peers in _DIRECTIONS:
        for index, rule in enumerate(spec.get(direction) or ()):
            field = f"spec.{direction}[{index}]"
            for number, port in enumerate(rule.get("ports") or ()):
                errors += _port(port, f"{field}.ports[{number}]")
            for number, peer in enumerate(rule.get(peers) or ()):
                errors += _peer(peer, f"{field}.{peers}[{number}]", existing)
    types = spec.get("policyTypes") or []
    if len(types) > len(_TYPES):
        return [*errors, invalid("spec.policyTypes", types, "may not specify more than two policyTypes")]
    for index, name in enumerate(types):
        if name not in _TYPES:
            errors.append(not_supported(f"spec.policyTypes[{index}]", name, _TYPES))
    return errors


def validate_update(policy: Object, old: Object) -> Errors:
    return validate_network_policy(policy, list(_ranges(old.get("spec") or {})))


def _ranges(spec: Object) -> Iterator[str]:
    for direction, peers in _DIRECTIONS:
        for rule in spec.get(direction) or ():
            for peer in rule.get(peers) or ():
                block = peer.get("ipBlock") or {}
                yield from (text for text in (block.get("cidr", ""), *(block.get("except") or ())) if text)


def _port(port: Object, field: str) -> Errors:
    errors: Errors = []
    if port.get("protocol") is not None and port["protocol"] not in _PROTOCOLS:
        errors.append(not_supported(f"{field}.protocol", port["protocol"], _PROTOCOLS))
    value, end = port.get("port"), port.get("endPort")
    if value is None:
        if end is not None:
            errors.append(invalid(f"{field}.endPort", end, "may not be specified when `port` is not specified"))
    elif isinstance(value, int):
        errors += each(f"{field}.port", value, names.port_number(value))
        if end is not None:
            if end < value:
                errors.append(invalid(f"{field}.endPort", value, "must be greater than or equal to `port`"))
            errors += each(f"{field}.endPort", end, names.port_number(end))
    else:
        if end is not None:
            errors.append(invalid(f"{field}.endPort", end, "may not be specified when `port` is non-numeric"))
        errors += each(f"{field}.port", value, names.port_name(value))
    return errors


def _peer(peer: Object, field: str, existing: Sequence[str]) -> Errors:
    errors: Errors = []
    for name in ("podSelector", "namespaceSelector"):
        if name in peer:
            errors += label_selector(f"{field}.{name}", peer[name])
    if "ipBlock" in peer:
        errors += _block(peer["ipBlock"], f"{field}.ipBlock", existing)
    if not peer:
        errors.append(required(field, "must specify a peer"))
    elif len(peer) > 1 and "ipBlock" in peer:
        errors.append(forbidden(field, "may not specify both ipBlock and another peer"))
    return errors


def _block(block: Object, field: str, existing: Sequence[str]) -> Errors:
    text = block.get("cidr", "")
    if not text:
        return [required(f"{field}.cidr")]
    errors = legacy_range(f"{field}.cidr", text, existing)
    try:
        outer = ip_network(text, strict=False)
    except ValueError:
        return errors
    for index, inner_text in enumerate(block.get("except") or ()):
        place = f"{field}.except[{index}]"
        errors += legacy_range(place, inner_text, existing)
        try:
            inner = ip_network(inner_text, strict=False)
        except ValueError:
            continue
        inside = inner.version == outer.version and inner.network_address in outer
        if not inside or outer.prefixlen >= inner.prefixlen:
            errors.append(invalid(place, inner_text, "must be a strict subset of `cidr`"))
    return errors
