"""Validation of EndpointSlices (pkg/apis/discovery/validation)."""

from weft.apiserver.kinds.rules import names
from weft.apiserver.kinds.rules.addresses import canonical_address, endpoint_address, family_of, legacy_address
from weft.apiserver.kinds.rules.errors import Errors, duplicate, each, immutable, invalid, one_of, required, too_many
from weft.apiserver.kinds.rules.selectors import labels
from weft.apiserver.registry.kind import Object
from weft.apiserver.selectors.names import label_value_errors

_TYPES = ("FQDN", "IPv4", "IPv6")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_MOST_ENDPOINTS, _MOST_ADDRESSES, _MOST_PORTS, _MOST_HINTS, _MOST_TOPOLOGY = 1000, 100, 20000, 8, 16


def validate_endpoint_slice(found: Object) -> Errors:
    errors = one_of("addressType", found.get("addressType"), _TYPES)
    errors += _ports(found.get("ports") or [])
    return errors + _endpoints(found)


def validate_update(found: Object, old: Object) -> Errors:
    errors = one_of("addressType", found.get("addressType"), _TYPES) + _ports(found.get("ports") or [])
    if found.get("endpoints") != old.get("endpoints"):
        errors += _endpoints(found)
    return errors + immutable("addressType", found.get("addressType"), old.get("addressType"))


def _ports(ports: list[Object]) -> Errors:
    if len(ports) > _MOST_PORTS:
        return [too_many("ports", len(ports), _MOST_PORTS)]
    errors: Errors = []
    seen: set[str] = set()
    for index, port in enumerate(ports):
        field, name = f"ports[{index}]", port.get("name", "")
        if name:
            errors += each(f"{field}.name", name, names.label(name))
        if name in seen:
            errors.append(duplicate(f"{field}.name", name))
        seen.add(name)
        errors += one_of(f"{field}.protocol", port.get("protocol"), _PROTOCOLS)
        if "appProtocol" in port:
            errors += each(f"{field}.appProtocol", port["appProtocol"], names.qualified_name(port["appProtocol"]))
    return errors


def _endpoints(found: Object) -> Errors:
    endpoints = found.get("endpoints") or []
    if len(endpoints) > _MOST_ENDPOINTS:
        return [too_many("endpoints", len(endpoints), _MOST_ENDPOINTS)]
    errors: Errors = []
    for index, endpoint in enumerate(endpoints):
        errors += _endpoint(endpoint, found.get("addressType", ""), f"endpoints[{index}]")
    return errors


def _endpoint(endpoint: Object, family: str, field: str) -> Errors:
    errors: Errors = []
    addresses = endpoint.get("addresses") or []
    if not addresses:
        errors.append(required(f"{field}.addresses", "must contain at least 1 address"))
    elif len(addresses) > _MOST_ADDRESSES:
        errors.append(too_many(f"{field}.addresses", len(addresses), _MOST_ADDRESSES))
    for index, text in enumerate(addresses):
        errors += _address(text, family, f"{field}.addresses", index)
    if "nodeName" in endpoint:
        errors += each(f"{field}.nodeName", endpoint["nodeName"], names.subdomain(endpoint["nodeName"]))
    topology = endpoint.get("deprecatedTopology") or {}
    if len(topology) > _MOST_TOPOLOGY:
        errors.append(too_many(f"{field}.deprecatedTopology", len(topology), _MOST_TOPOLOGY))
    errors += labels(f"{field}.deprecatedTopology", topology)
    if "hostname" in endpoint:
        errors += each(f"{field}.hostname", endpoint["hostname"], names.label(endpoint["hostname"]))
    return errors + _hints(endpoint.get("hints") or {}, f"{field}.hints")


def _address(text: str, family: str, field: str, index: int) -> Errors:
    place = f"{field}[{index}]"
    if family == "FQDN":
        return each(place, text, names.subdomain(text.removesuffix(".")))
    if family not in ("IPv4", "IPv6"):
        return []
    errors = legacy_address(place, text) if family == "IPv4" else canonical_address(place, text)
    if errors:
        return errors
    if family_of(text) != family:
        errors.append(invalid(field, text, f"must be an {family} address"))
    return errors + endpoint_address(place, text)


def _hints(hints: Object, field: str) -> Errors:
    errors: Errors = []
    for name, messages in (("forZones", label_value_errors), ("forNodes", names.subdomain)):
        entries = hints.get(name) or []
        if len(entries) > _MOST_HINTS:
            return [*errors, too_many(f"{field}.{name}", len(entries), _MOST_HINTS)]
        seen: set[str] = set()
        for index, entry in enumerate(entries):
            value, place = entry.get("name", ""), f"{field}.{name}[{index}].name"
            if value in seen:
                errors.append(duplicate(place, value))
            seen.add(value)
            errors += each(place, value, messages(value))
    return errors
