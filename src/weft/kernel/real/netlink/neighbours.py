"""Neighbours and forwarding entries ⇄ rtnetlink bytes. Pure. Source: rtnetlink(7), linux/neighbour.h."""

import struct
from collections.abc import Mapping
from ipaddress import ip_address

from weft.kernel.real.netlink import constants as c
from weft.kernel.real.netlink.links import Index, to_mac
from weft.kernel.real.netlink.message import attribute, attributes
from weft.kernel.state.neighbour import Forwarding, Neighbour

_BODY = struct.Struct("=BxxxiHBB")


def _mac(text: str) -> bytes:
    return attribute(c.NDA_LLADDR, bytes.fromhex(text.replace(":", "")))


def encode(entry: Neighbour | Forwarding, index: Index) -> bytes:
    """Body of RTM_NEWNEIGH and RTM_DELNEIGH."""
    if isinstance(entry, Forwarding):
        body = _BODY.pack(c.AF_BRIDGE, index(entry.link), c.NUD_PERMANENT | c.NUD_NOARP, c.NTF_SELF, 0)
        return body + _mac(entry.mac) + attribute(c.NDA_DST, entry.destination.packed)
    family = c.AF_INET if entry.address.version == 4 else c.AF_INET6
    body = _BODY.pack(family, index(entry.link), c.NUD_PERMANENT, 0, 0)
    return body + attribute(c.NDA_DST, entry.address.packed) + _mac(entry.mac)


def dump(family: int) -> bytes:
    return _BODY.pack(family, 0, 0, 0, 0)


def decode(body: bytes, names: Mapping[int, str]) -> Neighbour | Forwarding | None:
    """The entry of an RTM_NEWNEIGH body; None for what the kernel learned itself."""
    family, index, state, _flags, _kind = _BODY.unpack_from(body)
    found = attributes(body, _BODY.size)
    mac = to_mac(found.get(c.NDA_LLADDR, b""))
    if index not in names or not state & c.NUD_PERMANENT or mac is None or c.NDA_DST not in found:
        return None
    address = ip_address(found[c.NDA_DST])
    if family == c.AF_BRIDGE:
        return Forwarding(names[index], mac, address)
    return Neighbour(names[index], address, mac)
