"""The CRI log format: `2016-10-06T00:17:09.669794202Z stdout F line` ("CRI logging"). Pure.

P marks a part of a longer line, F the end of one; further tags follow after colons.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    timestamp: str
    """RFC 3339 with nanoseconds, as written."""
    stream: str
    partial: bool
    text: bytes
    """With the line's end where the entry ends a line."""


def parse_entry(line: bytes) -> Entry | None:
    """One line of a log file, with or without its end; None where it is not in the format."""
    parts = line.rstrip(b"\n").split(b" ", 3)
    if len(parts) < 3 or parts[1] not in (b"stdout", b"stderr"):
        return None
    partial = parts[2].split(b":")[0] == b"P"
    text = parts[3] if len(parts) == 4 else b""
    return Entry(parts[0].decode(errors="replace"), parts[1].decode(), partial, text if partial else text + b"\n")


def nanoseconds(stamp: str) -> int:
    """Unix time of an RFC 3339 time, to the nanosecond. Raises ValueError."""
    from datetime import datetime

    head, dot, tail = stamp.partition(".")
    digits = ""
    if dot:
        digits = tail[: len(tail) - len(tail.lstrip("0123456789"))]
        head += tail[len(digits) :]
    seconds = int(datetime.fromisoformat(head).timestamp())
    return seconds * 10**9 + int((digits + "0" * 9)[:9])
