"""The protobuf wire format ("Encoding", protobuf.dev): tags, varints and lengths, no types."""

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_MASK = (1 << 64) - 1


def fields(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """(field number, wire type, value) in order; values of length-delimited fields are bytes, all others unsigned.

    Raises ValueError where the bytes are no message.
    """
    at, end = 0, len(data)
    while at < end:
        tag, at = varint(data, at)
        number, wire = tag >> 3, tag & 7
        if not 0 < number < 1 << 29:
            raise ValueError(f"proto: illegal tag {number}")
        if wire == VARINT:
            value, at = varint(data, at)
            yield number, wire, value
            continue
        if wire == BYTES:
            size, at = varint(data, at)
        elif wire in (FIXED64, FIXED32):
            size = 8 if wire == FIXED64 else 4
        else:
            raise ValueError(f"proto: illegal wireType {wire}")
        if size > end - at:
            raise ValueError("unexpected EOF")
        part = data[at : at + size]
        at += size
        yield number, wire, part if wire == BYTES else int.from_bytes(part, "little")


def varint(data: bytes, at: int) -> tuple[int, int]:
    """(unsigned value, offset behind it)."""
    result = shift = 0
    while True:
        if at >= len(data):
            raise ValueError("unexpected EOF")
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & _MASK, at
        shift += 7
        if shift >= 64:
            raise ValueError("proto: integer overflow")


def varints(data: bytes) -> list[int]:
    """A packed list."""
    at, found = 0, []
    while at < len(data):
        value, at = varint(data, at)
        found.append(value)
    return found


def signed(value: int, bits: int = 64) -> int:
    """Two's complement: int32 is sign-extended to 64 bits on the wire."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value
