"""What a server answers, and its bytes: compression, EDNS, truncation by size."""

import msgspec

from weft.dns.message.query import LARGEST_UDP, Query
from weft.dns.message.records import COMPRESSED_DATA, Record, split_data

FOREVER = float("inf")


class Reply(msgspec.Struct, frozen=True):
    rcode: int = 0
    answer: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()
    authoritative: bool = False
    recursion_available: bool = False
    authentic_data: bool = False
    truncated: bool = False
    keep: float = 0.0
    """Seconds for which the bytes of this reply may be given again to the same question; FOREVER: until a change."""
    live: bool = False
    """It comes from data that is always true (a watch, a file), so nothing is gained by caching it."""
    tags: tuple[str, ...] = ()
    """What it depends on: a change of one of these ends `keep`."""
    rotate: bool = False
    """Its addresses may be turned around from one reply to the next."""
    by: str = ""
    """The plugin that answered."""
    error: str = ""
    """Why it is a failure, for the errors plugin."""


def _name(out: bytearray, seen: dict[bytes, int], name: bytes) -> None:
    index = 0
    lowered = name.lower()
    while length := name[index]:
        suffix = lowered[index:]
        at = seen.get(suffix)
        if at is not None:
            out += (0xC000 | at).to_bytes(2, "big")
            return
        if len(out) < 0x4000:
            seen[suffix] = len(out)
        out += name[index : index + 1 + length]
        index += 1 + length
    out.append(0)


def _record(out: bytearray, seen: dict[bytes, int], record: Record) -> None:
    _name(out, seen, record.name)
    out += record.type.to_bytes(2, "big") + record.class_.to_bytes(2, "big") + record.ttl.to_bytes(4, "big")
    if record.type not in COMPRESSED_DATA:
        out += len(record.data).to_bytes(2, "big") + record.data
        return
    at = len(out)
    out += b"\0\0"
    for is_name, field in split_data(record.type, record.data):
        if is_name:
            _name(out, seen, field)
        else:
            out += field
    out[at : at + 2] = (len(out) - at - 2).to_bytes(2, "big")


def _section(out: bytearray, seen: dict[bytes, int], records: tuple[Record, ...], limit: int) -> int:
    """Appends as many whole records as fit; returns how many."""
    for count, record in enumerate(records):
        before = len(out)
        _record(out, seen, record)
        if len(out) > limit:
            del out[before:]
            for suffix in [suffix for suffix, at in seen.items() if at >= before]:
                del seen[suffix]
            return count
    return len(records)


def encode(query: Query, reply: Reply) -> bytes:
    """The message that answers `query`. What does not fit is left out; TC is set where an answer is missing."""
    opt = b""
    if query.edns is not None:
        dnssec_ok = 0x8000 if query.edns.dnssec_ok else 0
        ttl = bytes((reply.rcode >> 4, 0)) + dnssec_ok.to_bytes(2, "big")
        opt = b"\0\0\x29" + LARGEST_UDP.to_bytes(2, "big") + ttl + b"\0\0"
    limit = query.limit - len(opt)
    out = bytearray(12)
    seen: dict[bytes, int] = {}
    _name(out, seen, query.name)
    out += query.type.to_bytes(2, "big") + query.class_.to_bytes(2, "big")
    answers = _section(out, seen, reply.answer, limit)
    whole = answers == len(reply.answer)
    authorities = _section(out, seen, reply.authority, limit) if whole else 0
    additionals = _section(out, seen, reply.additional, limit) if whole else 0
    out += opt
    flags = 0x8000 | (query.flags & 0x0110) | (reply.rcode & 0xF)
    if reply.authoritative:
        flags |= 0x0400
    if reply.truncated or not whole:
        flags |= 0x0200
    if reply.recursion_available:
        flags |= 0x0080
    if reply.authentic_data:
        flags |= 0x0020
    header = (query.id, flags, 1, answers, authorities, additionals + bool(opt))
    out[:12] = b"".join(number.to_bytes(2, "big") for number in header)
    return bytes(out)
