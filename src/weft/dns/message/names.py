"""Domain names in wire form (RFC 1035 section 3.1, compression in 4.1.4)."""

from weft.dns.message.errors import Malformed

ROOT = b"\0"
MAX_NAME = 255
_MAX_LABEL = 63
_MAX_POINTERS = 127
"""As many as a name has labels; more are only there to keep the reader busy."""


def from_text(text: str) -> bytes:
    """The wire form of `web.default.svc`, with or without the last dot; `\\.` and `\\DDD` escape.

    Raises ValueError with the reason when it is not a domain name.
    """
    if text in (".", ""):
        return ROOT
    labels: list[bytes] = []
    label = bytearray()
    raw = text.encode("utf-8", "surrogateescape")
    index = 0
    ended = False
    while index < len(raw):
        char = raw[index]
        ended = char == 0x2E
        if char == 0x5C:
            value, index = _escape(raw, index, text)
            label.append(value)
        elif char == 0x2E:
            labels.append(bytes(label))
            label.clear()
            index += 1
        else:
            label.append(char)
            index += 1
    if not ended:
        labels.append(bytes(label))
    return join(labels, ROOT)


def _escape(raw: bytes, index: int, text: str) -> tuple[int, int]:
    digits = raw[index + 1 : index + 4]
    if len(digits) == 3 and digits.isdigit() and int(digits) < 256:
        return int(digits), index + 4
    if index + 1 >= len(raw) or raw[index + 1 : index + 2].isdigit():
        raise ValueError(f"{text!r} is not a domain name: a broken escape")
    return raw[index + 1], index + 2


def join(labels: list[bytes] | tuple[bytes, ...], zone: bytes) -> bytes:
    """`labels` in front of the wire name `zone`. Raises ValueError where a label or the name is too long or empty."""
    parts = []
    for label in labels:
        if not 0 < len(label) <= _MAX_LABEL:
            reason = "an empty label" if not label else "a label of more than 63 bytes"
            raise ValueError(f"{b'.'.join(labels).decode(errors='replace')!r} is not a domain name: {reason}")
        parts.append(bytes((len(label),)) + label)
    name = b"".join(parts) + zone
    if len(name) > MAX_NAME:
        raise ValueError(f"{b'.'.join(labels).decode(errors='replace')!r} is not a domain name: more than 255 bytes")
    return name


def to_text(name: bytes) -> str:
    """`web.default.svc.` with the last dot, special characters escaped (RFC 4343 section 2.1)."""
    if name == ROOT:
        return "."
    return "".join(f"{_label_text(label)}." for label in labels(name))


def _label_text(label: bytes) -> str:
    text = label.decode("latin-1")
    if text.isascii() and text.replace("-", "").replace("_", "").isalnum():
        return text
    return "".join(
        f"\\{char}" if char in '."();@$\\' else char if 0x20 < ord(char) < 0x7F else f"\\{ord(char):03d}"
        for char in text
    )


def labels(name: bytes) -> list[bytes]:
    """The labels of a wire name, leftmost first, without the root."""
    found = []
    index = 0
    while length := name[index]:
        found.append(name[index + 1 : index + 1 + length])
        index += 1 + length
    return found


def lower(name: bytes) -> bytes:
    """ASCII lower case (RFC 4343). Length bytes are below 64 and so are no letters."""
    return name.lower()


def is_within(name: bytes, zone: bytes) -> bool:
    """Is `name` the `zone` or below it? Both in lower case."""
    if not name.endswith(zone):
        return False
    index, start = 0, len(name) - len(zone)
    while index < start:
        index += 1 + name[index]
    return index == start


def parents(name: bytes) -> list[bytes]:
    """`name`, then each name above it, the root last."""
    found = [name]
    index = 0
    while length := name[index]:
        index += 1 + length
        found.append(name[index:])
    return found


def read(packet: bytes, offset: int) -> tuple[bytes, int]:
    """The name at `offset`, decompressed, and where the next field begins.

    Raises Malformed: a pointer that does not point backwards (so loops end), a label type that is not in use, a name
    of more than 255 bytes, the end of the packet.
    """
    parts: list[bytes] = []
    size, after, limit = 1, -1, len(packet)
    lowest = offset
    pointers = 0
    while True:
        if offset >= limit:
            raise Malformed("a name runs over the end of the message")
        length = packet[offset]
        if length == 0:
            parts.append(ROOT)
            return b"".join(parts), after if after >= 0 else offset + 1
        if length < 0x40:
            end = offset + 1 + length
            size += 1 + length
            if end > limit or size > MAX_NAME:
                raise Malformed("a name is too long")
            parts.append(packet[offset:end])
            offset = end
        elif length >= 0xC0 and offset + 1 < limit:
            if after < 0:
                after = offset + 2
            offset = (length & 0x3F) << 8 | packet[offset + 1]
            pointers += 1
            if offset >= lowest or pointers > _MAX_POINTERS:
                raise Malformed("a compression pointer does not point backwards")
            lowest = offset
        else:
            raise Malformed("a label has an unknown type")
