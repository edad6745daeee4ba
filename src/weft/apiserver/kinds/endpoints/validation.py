"""Validation of Endpoints (pkg/apis/core/validation: ValidateEndpoints)."""

from weft.apiserver.kinds.rules import names
from weft.apiserver.kinds.rules.addresses import endpoint_address, family_of, legacy_address
from weft.apiserver.kinds.rules.errors import Errors, each, one_of, required
from weft.apiserver.registry.kind import Object

_PROTOCOLS = ("SCTP", "TCP", "UDP")


def validate_endpoints(endpoints: Object) -> Errors:
    errors: Errors = []
    for index, subset in enumerate(endpoints.get("subsets") or ()):
        errors += _subset(subset, f"subsets[{index}]")
    return errors


def validate_update(endpoints: Object, old: Object) -> Errors:
    return [] if endpoints.get("subsets") == old.get("subsets") else validate_endpoints(endpoints)


def _subset(subset: Object, field: str) -> Errors:
    errors: Errors = []
    if not subset.get("addresses") and not subset.get("notReadyAddresses"):
        errors.append(required(field, "must specify `addresses` or `notReadyAddresses`"))
    for name in ("addresses", "notReadyAddresses"):
        for index, address in enumerate(subset.get(name) or ()):
            errors += _address(address, f"{field}.{name}[{index}]")
    ports = subset.get("ports") or []
    for index, port in enumerate(ports):
        errors += _port(port, f"{field}.ports[{index}]", named=len(ports) > 1)
    return errors


def _address(address: Object, field: str) -> Errors:
    text = address.get("ip", "")
    errors = legacy_address(f"{field}.ip", text)
    if address.get("hostname"):
        errors += each(f"{field}.hostname", address["hostname"], names.label(address["hostname"]))
    if "nodeName" in address:
        errors += each(f"{field}.nodeName", address["nodeName"], names.subdomain(address["nodeName"]))
    if family_of(text):
        errors += endpoint_address(f"{field}.ip", text)
    else:
        errors += each(f"{field}.ip", text, ["must be a valid IP address"])
    return errors


def _port(port: Object, field: str, *, named: bool) -> Errors:
    name, number = port.get("name", ""), port.get("port", 0)
    errors = each(f"{field}.name", name, names.label(name)) if name else []
    if named and not name:
        errors.append(required(f"{field}.name"))
    errors += each(f"{field}.port", number, names.port_number(number))
    errors += one_of(f"{field}.protocol", port.get("protocol"), _PROTOCOLS)
    if "appProtocol" in port:
        errors += each(f"{field}.appProtocol", port["appProtocol"], names.qualified_name(port["appProtocol"]))
    return errors
