"""Routes ⇄ rtnetlink bytes. Pure. Source: rtnetlink(7), linux/rtnetlink.h."""

import struct
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import get_args

from weft.kernel.real.netlink import constants as c
from weft.kernel.real.netlink.links import Index
from weft.kernel.real.netlink.message import attribute, attributes, to_u32, u32
from weft.kernel.state.route import Route, RouteKind

_BODY = struct.Struct("=BBBBBBBBI")
_KINDS: dict[RouteKind, int] = {
    "unicast": 1,
    "local": 2,
    "broadcast": 3,
    "anycast": 4,
    "multicast": 5,
    "blackhole": 6,
    "unreachable": 7,
    "prohibit": 8,
}
_KIND_WORDS = {number: word for word, number in _KINDS.items()}
_IPV6_DEFAULT_METRIC = 1024
assert set(_KINDS) == set(get_args(RouteKind))


def encode(route: Route, index: Index) -> bytes:
    """Body of RTM_NEWROUTE and RTM_DELROUTE."""
    destination = route.destination
    v4 = destination.version == 4
    # IPv4 asks for the scope: a next hop must be found in a narrower one than its route's (fib_semantics.c).
    scope = c.RT_SCOPE_LINK if v4 and route.via is None and route.kind == "unicast" else c.RT_SCOPE_UNIVERSE
    body = _BODY.pack(
        c.AF_INET if v4 else c.AF_INET6,
        destination.prefixlen,
        0,
        0,
        route.table if route.table < 256 else c.RT_TABLE_COMPAT,
        route.protocol,
        scope,
        _KINDS[route.kind],
        c.RTNH_F_ONLINK if route.onlink else 0,
    )
    parts = [body, attribute(c.RTA_DST, destination.network_address.packed), u32(c.RTA_TABLE, route.table)]
    if route.via is not None:
        parts.append(attribute(c.RTA_GATEWAY, route.via.packed))
    if route.link:
        parts.append(u32(c.RTA_OIF, index(route.link)))
    if route.source is not None:
        parts.append(attribute(c.RTA_PREFSRC, route.source.packed))
    if route.metric:
        parts.append(u32(c.RTA_PRIORITY, route.metric))
    return b"".join(parts)


def deletion(route: Route, index: Index) -> bytes:
    """As `encode`, with the scope that matches any."""
    body = bytearray(encode(route, index))
    body[6] = c.RT_SCOPE_NOWHERE
    return bytes(body)


def dump(family: int, protocol: int) -> bytes:
    """Needs strict checking on the socket for `protocol` to be a filter (0: all)."""
    return _BODY.pack(family, 0, 0, 0, 0, protocol, 0, 0, 0)


def decode(body: bytes, names: Mapping[int, str]) -> Route | None:
    """The route of an RTM_NEWROUTE body; None for cached, local-table and multipath routes, which Weft never makes."""
    family, length, _source_length, _tos, table, protocol, _scope, number, flags = _BODY.unpack_from(body)
    found = attributes(body, _BODY.size)
    table = to_u32(found[c.RTA_TABLE]) if c.RTA_TABLE in found else table
    kind = _KIND_WORDS.get(number)
    if table == c.RT_TABLE_LOCAL or flags & c.RTM_F_CLONED or c.RTA_MULTIPATH in found or kind is None:
        return None
    v4 = family == c.AF_INET
    packed = found.get(c.RTA_DST) or bytes(4 if v4 else 16)
    metric = to_u32(found[c.RTA_PRIORITY]) if c.RTA_PRIORITY in found else 0
    # The kernel puts unreachable IPv6 routes on lo, IPv4 ones on nothing.
    on_link = c.RTA_OIF in found and kind not in ("blackhole", "unreachable", "prohibit")
    return Route(
        destination=IPv4Network((packed, length)) if v4 else IPv6Network((packed, length)),
        via=ip_address(found[c.RTA_GATEWAY]) if c.RTA_GATEWAY in found else None,
        link=names.get(to_u32(found[c.RTA_OIF]), "") if on_link else "",
        kind=kind,
        source=ip_address(found[c.RTA_PREFSRC]) if c.RTA_PREFSRC in found else None,
        protocol=protocol,
        table=table,
        metric=0 if not v4 and metric == _IPV6_DEFAULT_METRIC else metric,
        onlink=bool(flags & c.RTNH_F_ONLINK),
    )
