"""The other side of the codec: asking a question, and reading what another server answered."""

import msgspec

from weft.dns.message import names
from weft.dns.message.errors import Malformed
from weft.dns.message.query import LARGEST_UDP
from weft.dns.message.records import OPT, Record, read_data


class Message(msgspec.Struct, frozen=True):
    id: int
    flags: int
    name: bytes
    type: int
    class_: int
    answer: tuple[Record, ...]
    authority: tuple[Record, ...]
    additional: tuple[Record, ...]
    """Without the OPT record."""
    rcode: int

    @property
    def truncated(self) -> bool:
        return bool(self.flags & 0x0200)


def ask(
    id_: int, name: bytes, type_: int, class_: int = 1, *, flags: int = 0x0100, dnssec_ok: bool | None = None
) -> bytes:
    """A query's bytes; with an OPT record where `dnssec_ok` is given."""
    parts = [id_.to_bytes(2, "big"), flags.to_bytes(2, "big"), b"\0\1\0\0\0\0"]
    parts += [b"\0\0" if dnssec_ok is None else b"\0\1", name, type_.to_bytes(2, "big"), class_.to_bytes(2, "big")]
    if dnssec_ok is not None:
        parts += [b"\0\0\x29", LARGEST_UDP.to_bytes(2, "big"), b"\0\0", b"\x80\0" if dnssec_ok else b"\0\0", b"\0\0"]
    return b"".join(parts)


def read_message(packet: bytes) -> Message:
    """A whole message with one question. Raises Malformed."""
    if len(packet) < 12:
        raise Malformed("the header is cut short")
    id_, flags, questions, *counts = (packet[i] << 8 | packet[i + 1] for i in range(0, 12, 2))
    if questions != 1:
        raise Malformed("not one question")
    name, offset = names.read(packet, 12)
    if offset + 4 > len(packet):
        raise Malformed("the question is cut short")
    type_, class_ = packet[offset] << 8 | packet[offset + 1], packet[offset + 2] << 8 | packet[offset + 3]
    offset += 4
    sections: list[tuple[Record, ...]] = []
    rcode = flags & 0xF
    for count in counts:
        records = []
        for _ in range(count):
            record, offset = _read_record(packet, offset)
            if record.type == OPT:
                rcode |= (record.ttl >> 24) << 4
            else:
                records.append(record)
        sections.append(tuple(records))
    answer, authority, additional = sections
    return Message(id_, flags, name, type_, class_, answer, authority, additional, rcode)


def _read_record(packet: bytes, offset: int) -> tuple[Record, int]:
    name, offset = names.read(packet, offset)
    if offset + 10 > len(packet):
        raise Malformed("a record is cut short")
    type_, class_ = packet[offset] << 8 | packet[offset + 1], packet[offset + 2] << 8 | packet[offset + 3]
    ttl = int.from_bytes(packet[offset + 4 : offset + 8], "big")
    end = offset + 10 + (packet[offset + 8] << 8 | packet[offset + 9])
    if end > len(packet):
        raise Malformed("the data of a record is cut short")
    if type_ != OPT and ttl & 0x80000000:
        ttl = 0  # RFC 2181 section 8
    return Record(name, type_, ttl, read_data(packet, offset + 10, end, type_), class_), end
