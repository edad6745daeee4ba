"""Resource records: their types, and the fields of their data (RFC 1035 section 3.3, RFC 2782, RFC 3596)."""

from ipaddress import IPv4Address, IPv6Address

import msgspec

from weft.dns.message import names
from weft.dns.message.errors import Malformed

A, NS, CNAME, SOA, PTR, HINFO, MX, TXT, AAAA, SRV = 1, 2, 5, 6, 12, 13, 15, 16, 28, 33
NAPTR, DNAME, OPT, DS, SVCB, HTTPS, IXFR, AXFR, ANY = 35, 39, 41, 43, 64, 65, 251, 252, 255
IN = 1

TYPE_NAMES = {
    A: "A", NS: "NS", CNAME: "CNAME", SOA: "SOA", PTR: "PTR", HINFO: "HINFO", MX: "MX", TXT: "TXT", AAAA: "AAAA",
    SRV: "SRV", NAPTR: "NAPTR", DNAME: "DNAME", DS: "DS", 46: "RRSIG", 47: "NSEC", 48: "DNSKEY", 50: "NSEC3",
    SVCB: "SVCB", HTTPS: "HTTPS", IXFR: "IXFR", AXFR: "AXFR", ANY: "ANY",
}  # fmt: skip

_NAME = -1
_FIELDS: dict[int, tuple[int, ...]] = {
    NS: (_NAME,),
    CNAME: (_NAME,),
    PTR: (_NAME,),
    DNAME: (_NAME,),
    SOA: (_NAME, _NAME, 20),
    MX: (2, _NAME),
    SRV: (6, _NAME),
}
"""Data that holds names: the sizes of the fields, and `_NAME`. All other data is opaque (RFC 3597 section 4)."""

COMPRESSED_DATA = frozenset({NS, CNAME, PTR, SOA, MX})
"""Types of RFC 1035, whose data may be compressed; SRV and all newer ones must not be."""


class Record(msgspec.Struct, frozen=True, gc=False):
    name: bytes
    type: int
    ttl: int
    """Seconds."""
    data: bytes
    """Wire form without compression."""
    class_: int = IN


def type_name(number: int) -> str:
    return TYPE_NAMES.get(number) or f"TYPE{number}"


def address(name: bytes, text: str, ttl: int) -> Record:
    """An A or AAAA record for the address that `text` spells; ValueError where it spells none."""
    if ":" in text:
        return Record(name, AAAA, ttl, IPv6Address(text).packed)
    return Record(name, A, ttl, IPv4Address(text).packed)


def soa_minimum(record: Record) -> int:
    """The last field of a SOA: how long, in seconds, a negative answer may be kept (RFC 2308 section 4)."""
    return int.from_bytes(record.data[-4:], "big")


def soa(zone: bytes, serial: int, ttl: int) -> Record:
    """The SOA that CoreDNS's backends write: `ns.dns.ZONE hostmaster.ZONE`, 7200 1800 86400, minimum `ttl`."""
    numbers = (serial & 0xFFFFFFFF, 7200, 1800, 86400, ttl)
    data = b"\x02ns\x03dns" + zone + b"\x0ahostmaster" + zone + b"".join(n.to_bytes(4, "big") for n in numbers)
    return Record(zone, SOA, min(ttl, 300), data)


def srv(name: bytes, weight: int, port: int, target: bytes, ttl: int) -> Record:
    data = b"\0\0" + weight.to_bytes(2, "big") + port.to_bytes(2, "big") + target
    return Record(name, SRV, ttl, data)


def txt(name: bytes, text: bytes, ttl: int) -> Record:
    return Record(name, TXT, ttl, bytes((len(text),)) + text)


def read_data(packet: bytes, offset: int, end: int, type_: int) -> bytes:
    """The data between `offset` and `end`, its names decompressed. Raises Malformed."""
    fields = _FIELDS.get(type_)
    if fields is None:
        if (type_ == A and end - offset != 4) or (type_ == AAAA and end - offset != 16):
            raise Malformed("an address has the wrong size")
        return packet[offset:end]
    parts = []
    for size in fields:
        if size == _NAME:
            name, offset = names.read(packet, offset)
            parts.append(name)
        else:
            parts.append(packet[offset : offset + size])
            offset += size
    if offset != end:
        raise Malformed(f"the data of a {type_name(type_)} record has the wrong size")
    return b"".join(parts)


def split_data(type_: int, data: bytes) -> list[tuple[bool, bytes]]:
    """The fields of data whose names may be compressed: pairs of (is a name, bytes)."""
    parts: list[tuple[bool, bytes]] = []
    offset = 0
    for size in _FIELDS[type_]:
        if size == _NAME:
            name, after = names.read(data, offset)
            parts.append((True, name))
            offset = after
        else:
            parts.append((False, data[offset : offset + size]))
            offset += size
    return parts
