"""Addresses on links ⇄ rtnetlink bytes. Pure. Source: rtnetlink(7), linux/if_addr.h."""

import struct
from collections.abc import Mapping
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface

from weft.kernel.real.netlink import constants as c
from weft.kernel.real.netlink.links import Index
from weft.kernel.real.netlink.message import attribute, attributes, u32
from weft.kernel.state.address import LinkAddress

_BODY = struct.Struct("=BBBBI")


def encode(address: LinkAddress, index: Index) -> bytes:
    """Body of RTM_NEWADDR and RTM_DELADDR."""
    interface = address.interface
    length = interface.network.prefixlen
    packed = interface.ip.packed
    if isinstance(interface, IPv6Interface):
        body = _BODY.pack(c.AF_INET6, length, c.IFA_F_NODAD, c.RT_SCOPE_UNIVERSE, index(address.link))
        return body + attribute(c.IFA_LOCAL, packed) + u32(c.IFA_FLAGS, c.IFA_F_NODAD)
    scope = c.RT_SCOPE_HOST if interface.ip.is_loopback else c.RT_SCOPE_UNIVERSE
    body = _BODY.pack(c.AF_INET, length, 0, scope, index(address.link))
    parts = [body, attribute(c.IFA_LOCAL, packed), attribute(c.IFA_ADDRESS, packed)]
    if length < 31 and isinstance(interface, IPv4Interface):
        parts.append(attribute(c.IFA_BROADCAST, interface.network.broadcast_address.packed))
    return b"".join(parts)


def dump() -> bytes:
    return _BODY.pack(c.AF_UNSPEC, 0, 0, 0, 0)


def decode(body: bytes, names: Mapping[int, str]) -> LinkAddress | None:
    """The address of an RTM_NEWADDR body; None where its link has gone meanwhile."""
    family, length, _flags, _scope, index = _BODY.unpack_from(body)
    if index not in names or family not in (c.AF_INET, c.AF_INET6):
        return None
    found = attributes(body, _BODY.size)
    packed = found.get(c.IFA_LOCAL) or found[c.IFA_ADDRESS]
    return LinkAddress(names[index], ip_interface((ip_address(packed), length)))
