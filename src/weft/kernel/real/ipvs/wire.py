"""Virtual servers ⇄ generic netlink bytes. Pure. Source: linux/genetlink.h, linux/ip_vs.h."""

import socket
import struct
from collections.abc import Mapping

from weft.kernel.real.netlink.message import attribute, attributes, nested, text, to_text, to_u32, u32
from weft.kernel.state.ipvs import Server, Target, Virtual

_HEADER = struct.Struct("=BBH")
_FLAGS = struct.Struct("=II")
_U16 = struct.Struct("=H")
VERSION = 1
CTRL_GET_FAMILY, CTRL_ID, CTRL_NAME = 3, 1, 2
NEW_SERVICE, SET_SERVICE, DEL_SERVICE, GET_SERVICE, NEW_DEST, SET_DEST, DEL_DEST, GET_DEST = range(1, 9)
_SERVICE, _DEST = 1, 2
_AF, _PROTOCOL, _ADDRESS, _PORT, _MARK, _SCHEDULER, _SERVICE_FLAGS, _TIMEOUT, _NETMASK = range(1, 10)
_DEST_ADDRESS, _DEST_PORT, _FORWARD, _WEIGHT, _UPPER, _LOWER = range(1, 7)
_DEST_FAMILY = 11
_PERSISTENT = 1
_MASQUERADE = 0
_FORWARD_MASK = 7


def request(command: int, *parts: bytes) -> bytes:
    return _HEADER.pack(command, VERSION, 0) + b"".join(parts)


def ask_family(name: str) -> bytes:
    return request(CTRL_GET_FAMILY, text(CTRL_NAME, name))


def family(body: bytes) -> int:
    """The number that the kernel gave to the family; it is the type of its messages."""
    return _u16(_need(attributes(body, _HEADER.size), CTRL_ID, 2))


def key(at: Virtual) -> bytes:
    """What names a virtual server."""
    return nested(_SERVICE, *_key(at))


def _key(at: Virtual) -> list[bytes]:
    number = socket.AF_INET if len(at.address) == 4 else socket.AF_INET6
    return [
        attribute(_AF, _U16.pack(number)),
        attribute(_PROTOCOL, _U16.pack(at.protocol)),
        attribute(_ADDRESS, at.address.ljust(16, b"\0")),
        attribute(_PORT, at.port.to_bytes(2, "big")),
    ]


def service(at: Virtual, server: Server) -> bytes:
    flags = _FLAGS.pack(_PERSISTENT if server.persistence else 0, _PERSISTENT)
    return nested(
        _SERVICE,
        *_key(at),
        text(_SCHEDULER, server.scheduler),
        attribute(_SERVICE_FLAGS, flags),
        u32(_TIMEOUT, server.persistence),
        # Which clients are one client: for IPv4 a mask in network byte order, for IPv6 a length.
        u32(_NETMASK, 0xFFFFFFFF if len(at.address) == 4 else 128),
    )


def destination(target: Target, weight: int) -> bytes:
    number = socket.AF_INET if len(target.address) == 4 else socket.AF_INET6
    return nested(
        _DEST,
        attribute(_DEST_ADDRESS, target.address.ljust(16, b"\0")),
        attribute(_DEST_PORT, target.port.to_bytes(2, "big")),
        u32(_FORWARD, _MASQUERADE),
        u32(_WEIGHT, weight),
        u32(_UPPER, 0),
        u32(_LOWER, 0),
        attribute(_DEST_FAMILY, _U16.pack(number)),
    )


def read_service(body: bytes) -> tuple[Virtual, Server] | None:
    """A virtual server without its targets; None for one of packet marks. ValueError where it cannot be read."""
    found = attributes(_need(attributes(body, _HEADER.size), _SERVICE))
    if _MARK in found:
        return None
    width = _width(found)
    port = int.from_bytes(_need(found, _PORT, 2)[:2], "big")
    at = Virtual(_need(found, _ADDRESS, width)[:width], _u16(_need(found, _PROTOCOL, 2)), port)
    persistent = to_u32(_need(found, _SERVICE_FLAGS, 4)) & _PERSISTENT
    return at, Server(to_text(_need(found, _SCHEDULER)), to_u32(_need(found, _TIMEOUT, 4)) if persistent else 0)


def read_destination(body: bytes, width: int) -> tuple[Target, int] | None:
    """A target and its weight; None where packets are not translated on their way to it."""
    found = attributes(_need(attributes(body, _HEADER.size), _DEST))
    if to_u32(_need(found, _FORWARD, 4)) & _FORWARD_MASK != _MASQUERADE:
        return None
    port = int.from_bytes(_need(found, _DEST_PORT, 2)[:2], "big")
    return Target(_need(found, _DEST_ADDRESS, width)[:width], port), to_u32(_need(found, _WEIGHT, 4))


def _need(found: Mapping[int, bytes], kind: int, size: int = 0) -> bytes:
    """ValueError where an attribute is missing or too short."""
    payload = found.get(kind)
    if payload is None or len(payload) < size:
        raise ValueError(f"ipvs: attribute {kind} is missing or shorter than {size} bytes")
    return payload


def _u16(payload: bytes) -> int:
    return int(_U16.unpack_from(payload)[0])


def _width(found: Mapping[int, bytes]) -> int:
    return 4 if _u16(_need(found, _AF, 2)) == socket.AF_INET else 16
