"""Netlink messages and attributes as bytes. Pure. Source: netlink(7), RFC 3549; all numbers in host byte order."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from weft.kernel.real.netlink.constants import (
    NLA_F_NESTED,
    NLA_TYPE_MASK,
    NLM_F_ACK_TLVS,
    NLM_F_CAPPED,
    NLMSG_ERROR,
    NLMSGERR_ATTR_MSG,
)

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_ERROR = struct.Struct("=i")
_U32 = struct.Struct("=I")


class Message(NamedTuple):
    kind: int
    flags: int
    sequence: int
    body: bytes


def message(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    """One message; a body is padded to four bytes, so that messages can be joined."""
    padding = bytes(-len(body) % 4)
    return _HEADER.pack(_HEADER.size + len(body), kind, flags, sequence, 0) + body + padding


def attribute(kind: int, payload: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(payload), kind) + payload + bytes(-len(payload) % 4)


def nested(kind: int, *parts: bytes) -> bytes:
    return attribute(kind | NLA_F_NESTED, b"".join(parts))


def text(kind: int, value: str) -> bytes:
    return attribute(kind, value.encode() + b"\0")


def u32(kind: int, value: int) -> bytes:
    return attribute(kind, _U32.pack(value))


def u8(kind: int, value: int) -> bytes:
    return attribute(kind, bytes((value,)))


def messages(data: bytes) -> Iterator[Message]:
    """The messages of one datagram. Raises ValueError where a length does not fit."""
    offset = 0
    while offset < len(data):
        if len(data) - offset < _HEADER.size:
            raise ValueError(f"netlink: {len(data) - offset} bytes are left, a header has {_HEADER.size}")
        length, kind, flags, sequence, _port = _HEADER.unpack_from(data, offset)
        if not _HEADER.size <= length <= len(data) - offset:
            raise ValueError(f"netlink: a message of {length} bytes in {len(data) - offset}")
        yield Message(kind, flags, sequence, data[offset + _HEADER.size : offset + length])
        offset += length + -length % 4


def attributes(data: bytes, offset: int = 0) -> dict[int, bytes]:
    """Attributes by their number, from `offset` on; the last of several with one number wins."""
    found: dict[int, bytes] = {}
    end = len(data)
    while end - offset >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if not _ATTRIBUTE.size <= length <= end - offset:
            raise ValueError(f"netlink: an attribute of {length} bytes in {end - offset}")
        found[kind & NLA_TYPE_MASK] = data[offset + _ATTRIBUTE.size : offset + length]
        offset += length + -length % 4
    return found


def to_text(payload: bytes) -> str:
    return payload.rstrip(b"\0").decode(errors="replace")


def to_u32(payload: bytes) -> int:
    return int(_U32.unpack_from(payload)[0])


def error(answer: Message) -> tuple[int, str]:
    """errno (0: done as asked) and the kernel's own words, of an NLMSG_ERROR message."""
    if answer.kind != NLMSG_ERROR:
        raise ValueError(f"netlink: message of type {answer.kind} is no acknowledgement")
    code = -int(_ERROR.unpack_from(answer.body)[0])
    if not answer.flags & NLM_F_ACK_TLVS:
        return code, ""
    offset = _ERROR.size + _HEADER.size
    if not answer.flags & NLM_F_CAPPED:
        (length,) = _U32.unpack_from(answer.body, _ERROR.size)
        offset = _ERROR.size + length + -length % 4
    return code, to_text(attributes(answer.body, offset).get(NLMSGERR_ATTR_MSG, b""))
