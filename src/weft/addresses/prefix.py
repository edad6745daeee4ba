"""Parsing and relating IPv4 and IPv6 prefixes, strictly: no host bits, no leading zeros (KEP-4858)."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import combinations
from typing import Literal

Address = IPv4Address | IPv6Address
Prefix = IPv4Network | IPv6Network
Family = Literal["IPv4", "IPv6"]
"""Spelled as in `Service.spec.ipFamilies`."""


def parse_address(text: str, field: str = "address") -> Address:
    """The address that `text` spells; ValueError names `field` otherwise."""
    try:
        return ip_address(text)
    except ValueError:
        raise ValueError(f"{field}: {text!r} is not an IP address (give one such as 10.0.0.1 or fd00::1)") from None


def parse_prefix(text: str, field: str = "range") -> Prefix:
    """The prefix that `text` spells; ValueError names `field` and the mend otherwise."""
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        loose = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{field}: {text!r} is not a CIDR range (give one such as 10.244.0.0/16)") from None
    raise ValueError(f"{field}: {text!r} has host bits set (did you mean {loose}?)")


def parse_prefixes(text: str, field: str = "range") -> tuple[Prefix, ...]:
    """One prefix, or two of different families separated by a comma; the first is the primary one."""
    prefixes = tuple(parse_prefix(part.strip(), field) for part in text.split(","))
    if len(prefixes) > 2 or (len(prefixes) == 2 and not is_dual_stack(prefixes)):
        raise ValueError(f"{field}: {text!r} must be one range, or one IPv4 and one IPv6 range separated by a comma")
    return prefixes


def family(value: Address | Prefix) -> Family:
    return "IPv4" if value.version == 4 else "IPv6"


def is_dual_stack(values: Iterable[Address | Prefix]) -> bool:
    return {value.version for value in values} == {4, 6}


def overlapping(prefixes: Iterable[Prefix]) -> tuple[Prefix, Prefix] | None:
    """The first pair of prefixes that share an address, if any."""
    for one, other in combinations(prefixes, 2):
        if one.version == other.version and one.overlaps(other):
            return one, other
    return None


def nth_subnet(prefix: Prefix, length: int, index: int) -> Prefix:
    """Subnet number `index` (from 0) of `length` bits inside `prefix`, without listing the ones before it.

    Raises ValueError where the prefix holds no such subnet.
    """
    if length < prefix.prefixlen or not 0 <= index < 1 << (length - prefix.prefixlen):
        raise ValueError(f"{prefix} holds no /{length} number {index}")
    base = int(prefix.network_address) + (index << (prefix.max_prefixlen - length))
    return IPv4Network((base, length)) if prefix.version == 4 else IPv6Network((base, length))
