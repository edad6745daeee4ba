"""SPDY/3.1 without I/O: bytes → frames → events, and back (draft-mbelshe-httpbis-spdy-00; spdy/3.1 differs only in
flow control of the whole session, which Kubernetes' peers do not use).

    data frame      |0|  stream id (31)          | flags (8) | length (24) | data
    control frame   |1| version (15) | type (16) | flags (8) | length (24) | payload

A client opens streams with odd ids. Header blocks share one zlib state for the whole connection, primed with
`dictionary.DICTIONARY`.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from weft.kubelet.streaming.dictionary import DICTIONARY

VERSION = 3
SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY, HEADERS, WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9
FIN = 0x01
_LONGEST = 1 << 24
_MAX_DATA = 1 << 15
"""Bytes of data put into one frame, so that streams take turns."""


class ProtocolError(ValueError):
    """The peer does not speak SPDY/3.1."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The peer opened `stream` (SYN_STREAM)."""

    stream: int
    headers: dict[str, str]
    fin: bool = False


@dataclass(frozen=True, slots=True)
class Replied:
    """The peer accepted `stream` (SYN_REPLY)."""

    stream: int
    headers: dict[str, str]
    fin: bool = False


@dataclass(frozen=True, slots=True)
class Data:
    stream: int
    data: bytes
    fin: bool = False


@dataclass(frozen=True, slots=True)
class Reset:
    stream: int
    status: int


@dataclass(frozen=True, slots=True)
class Pinged:
    """Answer with the same bytes: `ping(id)`."""

    id: int


@dataclass(frozen=True, slots=True)
class GoAway:
    last_stream: int
    status: int


Event = Opened | Replied | Data | Reset | Pinged | GoAway


def data_frames(stream: int, data: bytes, *, fin: bool = False) -> bytes:
    """The data in as many frames as it takes; with `fin` the last one half-closes the stream."""
    parts = [data[at : at + _MAX_DATA] for at in range(0, len(data), _MAX_DATA)] or [b""]
    made = bytearray()
    for index, part in enumerate(parts):
        flags = FIN if fin and index == len(parts) - 1 else 0
        made += struct.pack(">II", stream & 0x7FFFFFFF, flags << 24 | len(part)) + part
    return bytes(made)


def control_frame(kind: int, payload: bytes, flags: int = 0) -> bytes:
    return struct.pack(">HHI", 0x8000 | VERSION, kind, flags << 24 | len(payload)) + payload


def ping(identity: int) -> bytes:
    return control_frame(PING, struct.pack(">I", identity))


def reset(stream: int, status: int = 5) -> bytes:
    """RST_STREAM; 5 is CANCEL."""
    return control_frame(RST_STREAM, struct.pack(">II", stream, status))


def goaway(last_stream: int = 0, status: int = 0) -> bytes:
    return control_frame(GOAWAY, struct.pack(">II", last_stream, status))


class Connection:
    """One side of a SPDY session; `client` opens odd streams, a server even ones."""

    def __init__(self, *, client: bool = True) -> None:
        self._next = 1 if client else 2
        self._deflate = zlib.compressobj(zdict=DICTIONARY)
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._buffer = bytearray()

    def open(self, headers: Mapping[str, str], *, fin: bool = False) -> tuple[int, bytes]:
        """A new stream's id, and the SYN_STREAM that opens it."""
        stream = self._next
        self._next += 2
        payload = struct.pack(">IIH", stream, 0, 0) + self._block(headers)
        return stream, control_frame(SYN_STREAM, payload, FIN if fin else 0)

    def reply(self, stream: int, headers: Mapping[str, str] | None = None) -> bytes:
        """The SYN_REPLY that accepts a stream of the peer's."""
        return control_frame(SYN_REPLY, struct.pack(">I", stream) + self._block(headers or {}))

    def receive(self, data: bytes) -> Iterator[Event]:
        """Events of all frames that are whole now. Raises ProtocolError; the connection is then of no use."""
        self._buffer += data
        while len(self._buffer) >= 8:
            first, second = struct.unpack_from(">II", self._buffer)
            length = second & 0xFFFFFF
            if len(self._buffer) < 8 + length:
                return
            payload = bytes(self._buffer[8 : 8 + length])
            del self._buffer[: 8 + length]
            event = self._frame(first, second >> 24, payload)
            if event is not None:
                yield event

    def _frame(self, first: int, flags: int, payload: bytes) -> Event | None:
        fin = bool(flags & FIN)
        if not first & 0x80000000:
            return Data(first, payload, fin)
        if first >> 16 & 0x7FFF != VERSION:
            raise ProtocolError(f"version {first >> 16 & 0x7FFF} is not 3")
        try:
            return self._control(first & 0xFFFF, fin, payload)
        except (struct.error, zlib.error, UnicodeDecodeError) as error:
            raise ProtocolError(f"control frame of type {first & 0xFFFF}: {error}") from None

    def _control(self, kind: int, fin: bool, payload: bytes) -> Event | None:
        if kind == SYN_STREAM:
            return Opened(_id(payload), self._headers(payload[10:]), fin)
        if kind == SYN_REPLY:
            return Replied(_id(payload), self._headers(payload[4:]), fin)
        if kind == HEADERS:
            self._headers(payload[4:])  # its bytes belong to the shared state, whatever they say
            return None
        if kind == RST_STREAM:
            return Reset(*struct.unpack(">II", payload))
        if kind == PING:
            return Pinged(*struct.unpack(">I", payload))
        if kind == GOAWAY:
            return GoAway(*struct.unpack(">II", payload))
        return None

    def _block(self, headers: Mapping[str, str]) -> bytes:
        plain = bytearray(struct.pack(">I", len(headers)))
        for name, value in headers.items():
            for text in (name.lower().encode(), value.encode()):
                plain += struct.pack(">I", len(text)) + text
        return self._deflate.compress(bytes(plain)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def _headers(self, block: bytes) -> dict[str, str]:
        plain = self._inflate.decompress(block, _LONGEST)
        (count,) = struct.unpack_from(">I", plain)
        at, found = 4, {}
        for _ in range(count):
            name, at = _text(plain, at)
            found[name], at = _text(plain, at)
        return found


def _id(payload: bytes) -> int:
    return int(struct.unpack_from(">I", payload)[0]) & 0x7FFFFFFF


def _text(plain: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from(">I", plain, at)
    end = at + 4 + length
    if end > len(plain):
        raise ProtocolError("a header block is truncated")
    return plain[at + 4 : end].decode(), end
