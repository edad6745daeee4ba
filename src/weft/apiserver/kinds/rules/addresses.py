"""What addresses and ranges may be in fields (apimachinery `util/validation/ip.go`, strict as in KEP-4858)."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from weft.apiserver.kinds.rules.errors import Errors, invalid

_LOCALHOST = "may not be in the loopback range (127.0.0.0/8, ::1/128)"
_LINK_LOCAL = "may not be in the link-local range (169.254.0.0/16, fe80::/10)"
_LINK_LOCAL_MULTICAST = "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"


def legacy_address(field: str, text: str, existing: Sequence[str] = ()) -> Errors:
    """`existing`: what the old object holds stays valid."""
    if text in existing:
        return []
    address = _parsed(text)
    if address is None:
        if _has_leading_zeros(text):
            return [invalid(field, text, "must not have leading 0s")]
        return [invalid(field, text, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")]
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return [invalid(field, text, "must not be an IPv4-mapped IPv6 address")]
    return []


def canonical_address(field: str, text: str) -> Errors:
    errors = legacy_address(field, text)
    if not errors and str(ip_address(text)) != text:
        errors.append(invalid(field, text, f'must be in canonical form ("{ip_address(text)}")'))
    return errors


def legacy_range(field: str, text: str, existing: Sequence[str] = ()) -> Errors:
    if text in existing:
        return []
    try:
        loose = ip_network(text, strict=False)
    except ValueError:
        loose = None
    if loose is None and "/" in text and _has_leading_zeros(text.partition("/")[0]):
        return [invalid(field, text, "must not have leading 0s in IP or prefix length")]
    if loose is None or "/" not in text:
        return [invalid(field, text, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")]
    address, _, length = text.partition("/")
    if length != str(loose.prefixlen):
        return [invalid(field, text, "must not have leading 0s in IP or prefix length")]
    if ip_address(address) != loose.network_address:
        return [invalid(field, text, "must not have bits set beyond the prefix length")]
    return []


def endpoint_address(field: str, text: str) -> Errors:
    """No address that could never be an endpoint's. `text` must parse."""
    address = ip_address(text)
    errors: Errors = []
    if address.is_unspecified:
        errors.append(invalid(field, text, f"may not be unspecified ({text})"))
    if address.is_loopback:
        errors.append(invalid(field, text, _LOCALHOST))
    if address.is_link_local:
        errors.append(invalid(field, text, _LINK_LOCAL))
    if address in ip_network("224.0.0.0/24") or address in ip_network("ff02::/16"):
        errors.append(invalid(field, text, _LINK_LOCAL_MULTICAST))
    return errors


def family_of(text: str) -> str:
    """IPv4 or IPv6, "" for what is no address."""
    address = _parsed(text)
    return "" if address is None else f"IPv{address.version}"


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text) if "%" not in text else None
    except ValueError:
        return None


def _has_leading_zeros(text: str) -> bool:
    parts = text.split(".")
    return len(parts) == 4 and all(part.isdecimal() and len(part) <= 4 and int(part) < 256 for part in parts)
