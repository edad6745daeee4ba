"""The maps, and how entries become their elements. Pure. Little-endian, as the programs are.

services   frontend               → number of endpoints, seconds a client keeps one, flags
endpoints  frontend . slot        → endpoint
members    frontend . endpoint    → nothing: whether a remembered endpoint still is one
clients    client . frontend      → endpoint, when it was last chosen
origins    socket . endpoint      → the frontend that the socket's owner asked for

Every place (frontend, endpoint) has the address in 16 bytes, IPv4 mapped, so that IPv6 sockets which talk IPv4 (as
Java's do) need nothing of their own.
"""

import struct

from weft.kernel.state.bpf import Map
from weft.proxy.model import Entry, Frontend

PLACE = 20
"""Address, port in network byte order, protocol (of an endpoint: 0), 0."""
STICKY, LOOPBACK = 1, 2
"""The network namespace keeps its endpoint, not the socket; only the node's own namespace may call."""
FLOW_SECONDS = 180
"""How long an unconnected UDP socket keeps its endpoint without sending: as conntrack's stream timeout."""
NUMBERS = {"tcp": 6, "udp": 17}
SERVICES = Map("services", PLACE, 12, 1 << 16)
ENDPOINTS = Map("endpoints", PLACE + 4, PLACE, 1 << 18)
MEMBERS = Map("members", 2 * PLACE, 4, 1 << 18)
CLIENTS = Map("clients", 32, 32, 1 << 15, "lru_hash")
ORIGINS = Map("origins", 32, PLACE, 1 << 15, "lru_hash")
ALL = (SERVICES, ENDPOINTS, MEMBERS, CLIENTS, ORIGINS)
PROGRAMMED = (SERVICES, ENDPOINTS, MEMBERS)
_MAPPED = bytes(10) + b"\xff\xff"
_SERVICE = struct.Struct("<3I")
Rows = dict[Map, dict[bytes, bytes]]
"""Elements by map."""


def place(address: bytes, port: int, protocol: int = 0) -> bytes:
    wide = address if len(address) == 16 else _MAPPED + address
    return wide + port.to_bytes(2, "big") + bytes((protocol, 0))


def frontend(at: Frontend) -> bytes:
    return place(at.address, at.port, NUMBERS[at.protocol])


def origin(cookie: int, address: bytes, port: int) -> bytes:
    """Key of `origins`."""
    return cookie.to_bytes(8, "little") + place(address, port) + bytes(4)


def targets(at: Frontend, entry: Entry | None) -> tuple[bytes, ...]:
    """The endpoints for sockets of this node. Empty: left to nftables, which rejects, drops, and knows source ranges.

    Sockets of pods and of the node itself are not bound by Local external policies.
    """
    if entry is None or at.protocol not in NUMBERS or entry.sources:
        return ()
    ends = entry.cluster if entry.external or entry.local is None else entry.local
    return tuple(dict.fromkeys(place(end.address, end.port) for end in ends))


def arrange(before: tuple[bytes, ...], wanted: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """`wanted` in slots: those that have one keep it where they can, for every moved slot is a change."""
    count, keep = len(wanted), set(wanted)
    slots: list[bytes | None] = [one if one in keep else None for one in before[:count]]
    slots += [None] * (count - len(slots))
    held = set(slots)
    rest = iter([one for one in wanted if one not in held])
    return tuple(next(rest) if one is None else one for one in slots)


def rows(at: Frontend, entry: Entry, slots: tuple[bytes, ...], *, loopback: bool = False) -> Rows:
    """All elements of one frontend."""
    key = frontend(at)
    flags = (STICKY if entry.affinity else 0) | (LOOPBACK if loopback else 0)
    remembers = entry.affinity > 0 or at.protocol == "udp"
    return {
        SERVICES: {key: _SERVICE.pack(len(slots), entry.affinity or FLOW_SECONDS, flags)},
        ENDPOINTS: {key + number.to_bytes(4, "little"): end for number, end in enumerate(slots)},
        MEMBERS: dict.fromkeys((key + end for end in slots), bytes(4)) if remembers else {},
    }


def count_of(service: bytes) -> int:
    """How many endpoints a value of `services` tells of."""
    return int(_SERVICE.unpack(service)[0])
