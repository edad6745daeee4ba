"""Reading a question as a server does: everything that is wrong becomes an rcode or silence, never an exception."""

from typing import Literal

import msgspec

from weft.dns.message import names
from weft.dns.message.errors import Malformed
from weft.dns.message.records import OPT

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, BADVERS = 0, 1, 2, 3, 4, 5, 16
RCODE_NAMES = {
    0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 6: "YXDOMAIN", 7: "YXRRSET",
    8: "NXRRSET", 9: "NOTAUTH", 10: "NOTZONE", 16: "BADVERS",
}  # fmt: skip

PLAIN_UDP = 512
"""Bytes that a client without EDNS takes (RFC 1035 section 4.2.1)."""
LARGEST_UDP = 1232
"""Bytes that we ever send in a datagram: what passes everywhere without fragments (DNS flag day 2020)."""
LARGEST_TCP = 65535

Transport = Literal["udp", "tcp"]


class Edns(msgspec.Struct, frozen=True, gc=False):
    """The OPT record of a query (RFC 6891)."""

    size: int
    version: int
    dnssec_ok: bool


class Query(msgspec.Struct, frozen=True):
    """One question with what its answer depends on. `name` is spelled as asked, `key` in lower case."""

    id: int
    flags: int
    name: bytes
    key: bytes
    type: int
    class_: int
    edns: Edns | None = None
    transport: Transport = "udp"
    client: tuple[str, int] = ("", 0)
    size: int = 0
    """Bytes of the query's message."""

    @property
    def checking_disabled(self) -> bool:
        return bool(self.flags & 0x0010)

    @property
    def dnssec_ok(self) -> bool:
        return self.edns is not None and self.edns.dnssec_ok

    @property
    def limit(self) -> int:
        """The largest message that the client takes, in bytes."""
        if self.transport == "tcp":
            return LARGEST_TCP
        if self.edns is None:
            return PLAIN_UDP
        return min(max(self.edns.size, PLAIN_UDP), LARGEST_UDP)


class Rejected(Exception):
    """A message that gets no answer (`reply` is empty), or at once the one that is given."""

    def __init__(self, reply: bytes = b"", rcode: int = FORMERR) -> None:
        super().__init__(RCODE_NAMES[rcode])
        self.reply = reply
        self.rcode = rcode


def _refuse(packet: bytes, rcode: int) -> Rejected:
    # The header alone, never more than came in: nothing to amplify with.
    flags = 0x80 | (packet[2] & 0x79)
    return Rejected(packet[:2] + bytes((flags, rcode)) + b"\0\0\0\0\0\0\0\0", rcode)


def read_query(packet: bytes, transport: Transport = "udp", client: tuple[str, int] = ("", 0)) -> Query:
    """The question in `packet`. Raises Rejected; answers (QR set) and fragments of a header get silence."""
    if len(packet) < 12 or packet[2] & 0x80:
        raise Rejected
    if packet[2] & 0x78:
        raise _refuse(packet, NOTIMP)
    counts = packet[4:12]
    try:
        if counts[:2] != b"\0\1":
            raise Malformed("not one question")
        name, offset = names.read(packet, 12)
        if offset != 12 + len(name) or offset + 4 > len(packet):
            raise Malformed("the question is cut short")
        edns = None if counts[2:] == b"\0\0\0\0\0\0" else _read_edns(packet, offset + 4)
    except Malformed:
        raise _refuse(packet, FORMERR) from None
    return Query(
        packet[0] << 8 | packet[1],
        packet[2] << 8 | packet[3],
        name,
        name.lower(),
        packet[offset] << 8 | packet[offset + 1],
        packet[offset + 2] << 8 | packet[offset + 3],
        edns,
        transport,
        client,
        len(packet),
    )


def _read_edns(packet: bytes, offset: int) -> Edns | None:
    """Walks all records after the question; there may be one OPT, among the additional ones."""
    answers, authorities, additionals = (packet[i] << 8 | packet[i + 1] for i in (6, 8, 10))
    found: Edns | None = None
    for index in range(answers + authorities + additionals):
        name, offset = names.read(packet, offset)
        if offset + 10 > len(packet):
            raise Malformed("a record is cut short")
        type_ = packet[offset] << 8 | packet[offset + 1]
        end = offset + 10 + (packet[offset + 8] << 8 | packet[offset + 9])
        if end > len(packet):
            raise Malformed("the data of a record is cut short")
        if type_ == OPT:
            if found or name != names.ROOT or index < answers + authorities:
                raise Malformed("an OPT record is out of place")
            size = packet[offset + 2] << 8 | packet[offset + 3]
            found = Edns(size, packet[offset + 5], bool(packet[offset + 6] & 0x80))
        offset = end
    return found
