"""Links ⇄ rtnetlink bytes. Pure. Source: rtnetlink(7), linux/if_link.h."""

import struct
from collections.abc import Callable, Mapping
from ipaddress import ip_address

from weft.kernel.real.netlink import constants as c
from weft.kernel.real.netlink.message import attribute, attributes, nested, text, to_text, to_u32, u8, u32
from weft.kernel.state.link import ALIAS_LIMIT, Bridge, Kind, Link, Other, Port, Veth, Vxlan, kind_name

_BODY = struct.Struct("=BxHiII")
Index = Callable[[str], int]
"""Name of a link → its index; raises KernelError where there is none."""


def to_mac(payload: bytes) -> str | None:
    return payload.hex(":") if len(payload) == 6 else None


def _body(*, index: int = 0, flags: int = 0, change: int = 0) -> bytes:
    return _BODY.pack(c.AF_UNSPEC, 0, index, flags, change)


def _common(link: Link, index: Index | None) -> bytes:
    """Attributes that making and changing a link share. Without `index`, the link is one in another namespace."""
    parts = [text(c.IFLA_IFNAME, link.name)]
    if link.mtu is not None:
        parts.append(u32(c.IFLA_MTU, link.mtu))
    if link.mac is not None:
        parts.append(attribute(c.IFLA_ADDRESS, bytes.fromhex(link.mac.replace(":", ""))))
    if link.group:
        parts.append(u32(c.IFLA_GROUP, link.group))
    if link.master and index is not None:
        parts.append(u32(c.IFLA_MASTER, index(link.master)))
    return b"".join(parts)


def _data(kind: Kind, index: Index, netns: int | None) -> bytes:
    match kind:
        case Veth(peer=Link() as peer):
            target = u32(c.IFLA_NET_NS_FD, netns) if netns is not None else b""
            # No IFF_UP: veth_open() fails with ENOTCONN before the two ends are joined.
            inner = nested(c.VETH_INFO_PEER, _body(), _common(peer, None), target)
            return nested(c.IFLA_INFO_DATA, inner)
        case Bridge(vlan_filtering=True):
            # Not sent when false: a kernel without VLAN support refuses the attribute itself.
            return nested(c.IFLA_INFO_DATA, u8(c.IFLA_BR_VLAN_FILTERING, 1))
        case Vxlan():
            local = ip_address(kind.local)
            parts = [
                u32(c.IFLA_VXLAN_ID, kind.vni),
                attribute(c.IFLA_VXLAN_LOCAL if local.version == 4 else c.IFLA_VXLAN_LOCAL6, local.packed),
                attribute(c.IFLA_VXLAN_PORT, struct.pack(">H", kind.port)),
                u8(c.IFLA_VXLAN_LEARNING, 0),
            ]
            if kind.underlay:
                parts.append(u32(c.IFLA_VXLAN_LINK, index(kind.underlay)))
            return nested(c.IFLA_INFO_DATA, *parts)
    return b""


def add(link: Link, index: Index, netns: int | None = None) -> bytes:
    """Body of RTM_NEWLINK that makes `link`; a veth's peer is made in the namespace open at `netns`."""
    up = c.IFF_UP if link.up else 0
    info = nested(c.IFLA_LINKINFO, text(c.IFLA_INFO_KIND, kind_name(link.kind)), _data(link.kind, index, netns))
    return _body(flags=up, change=up) + _common(link, index) + info


def change(link: Link, index: Index) -> bytes:
    """Body of RTM_NEWLINK that changes what is not None, the master and whether it is up, of a link that exists."""
    master = b"" if link.master else u32(c.IFLA_MASTER, 0)
    group = b"" if link.group else u32(c.IFLA_GROUP, 0)
    info = b""
    if isinstance(link.kind, Bridge):
        info = nested(c.IFLA_LINKINFO, text(c.IFLA_INFO_KIND, "bridge"), _data(link.kind, index, None))
    return _body(flags=c.IFF_UP if link.up else 0, change=c.IFF_UP) + _common(link, index) + master + group + info


def finish(link: Link) -> bytes:
    """Body of RTM_NEWLINK with what the kernel overlooks when it makes a link: alias and flags of a bridge's port.

    Empty where the link has neither.
    """
    parts = []
    if link.alias is not None:
        parts.append(attribute(c.IFLA_IFALIAS, link.alias.encode()[:ALIAS_LIMIT]))
    if link.port is not None:
        data = nested(
            c.IFLA_INFO_SLAVE_DATA,
            u8(c.IFLA_BRPORT_MODE, link.port.hairpin),
            u8(c.IFLA_BRPORT_LEARNING, link.port.learning),
            u8(c.IFLA_BRPORT_ISOLATED, link.port.isolated),
        )
        parts.append(nested(c.IFLA_LINKINFO, text(c.IFLA_INFO_SLAVE_KIND, "bridge"), data))
    return b"".join((_body(), text(c.IFLA_IFNAME, link.name), *parts)) if parts else b""


def regroup(name: str, group: int) -> bytes:
    return _body() + text(c.IFLA_IFNAME, name) + u32(c.IFLA_GROUP, group)


def named(name: str) -> bytes:
    """Body of RTM_GETLINK or RTM_DELLINK for one link."""
    return _body() + text(c.IFLA_IFNAME, name) + u32(c.IFLA_EXT_MASK, c.RTEXT_FILTER_SKIP_STATS)


def deletion(name: str) -> bytes:
    return _body() + text(c.IFLA_IFNAME, name)


def group_deletion(group: int) -> bytes:
    return _body() + u32(c.IFLA_GROUP, group)


def dump() -> bytes:
    return _body() + u32(c.IFLA_EXT_MASK, c.RTEXT_FILTER_SKIP_STATS)


def index_of(body: bytes) -> int:
    return int(_BODY.unpack_from(body)[2])


def decode(body: bytes, names: Mapping[int, str]) -> Link:
    """The link of an RTM_NEWLINK body; `names` tells masters by their index."""
    _family, _type, index, flags, _change = _BODY.unpack_from(body)
    found = attributes(body, _BODY.size)
    info = attributes(found.get(c.IFLA_LINKINFO, b""))
    master = to_u32(found[c.IFLA_MASTER]) if c.IFLA_MASTER in found else 0
    return Link(
        name=to_text(found[c.IFLA_IFNAME]),
        kind=_kind(to_text(info.get(c.IFLA_INFO_KIND, b"")), attributes(info.get(c.IFLA_INFO_DATA, b"")), names),
        up=bool(flags & c.IFF_UP),
        mtu=to_u32(found[c.IFLA_MTU]),
        mac=to_mac(found.get(c.IFLA_ADDRESS, b"")),
        master=names.get(master, "") if master else "",
        port=_port(info),
        group=to_u32(found[c.IFLA_GROUP]),
        alias=to_text(found[c.IFLA_IFALIAS]) if c.IFLA_IFALIAS in found else None,
        index=index,
    )


def name_of(body: bytes) -> str:
    return to_text(attributes(body, _BODY.size)[c.IFLA_IFNAME])


def _kind(word: str, data: Mapping[int, bytes], names: Mapping[int, str]) -> Kind:
    match word:
        case "veth":
            return Veth()
        case "bridge":
            return Bridge(vlan_filtering=data.get(c.IFLA_BR_VLAN_FILTERING, b"\0") != b"\0")
        case "vxlan" if c.IFLA_VXLAN_LOCAL in data or c.IFLA_VXLAN_LOCAL6 in data:
            packed = data.get(c.IFLA_VXLAN_LOCAL) or data[c.IFLA_VXLAN_LOCAL6]
            underlay = to_u32(data[c.IFLA_VXLAN_LINK]) if c.IFLA_VXLAN_LINK in data else 0
            (number,) = struct.unpack_from(">H", data[c.IFLA_VXLAN_PORT])
            vni = to_u32(data[c.IFLA_VXLAN_ID])
            return Vxlan(vni, str(ip_address(packed)), number, names.get(underlay, ""))
    return Other(word)


def _port(info: Mapping[int, bytes]) -> Port | None:
    if to_text(info.get(c.IFLA_INFO_SLAVE_KIND, b"")) != "bridge":
        return None
    data = attributes(info.get(c.IFLA_INFO_SLAVE_DATA, b""))
    hairpin, isolated = data.get(c.IFLA_BRPORT_MODE), data.get(c.IFLA_BRPORT_ISOLATED)
    return Port(hairpin == b"\1", isolated == b"\1", data.get(c.IFLA_BRPORT_LEARNING) != b"\0")
