"""Times on the wire: RFC 3339 in UTC, in seconds (Time) or microseconds (MicroTime) (API conventions, "Types")."""

import re
from datetime import UTC, datetime, timedelta, timezone

_PLAIN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_FULL = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(Z|([+-])(\d\d):(\d\d))", re.ASCII)
_STEPS = (
    (r"\d{4}", "2006"), ("-", "-"), (r"\d\d", "01"), ("-", "-"), (r"\d\d", "02"), ("T", "T"), (r"\d\d", "15"),
    (":", ":"), (r"\d\d", "04"), (":", ":"), (r"\d\d", "05"), (r"(?:[.,]\d+)?", ""), (r"(?:Z|[+-]\d\d:\d\d)", "Z07:00"),
)  # fmt: skip
_LAYOUT = "2006-01-02T15:04:05Z07:00"
_MICRO_LAYOUT = "2006-01-02T15:04:05.000000Z07:00"


def parse_time(text: str) -> datetime:
    """Raises ValueError in the words of Go's time.Parse."""
    found = _FULL.fullmatch(text)
    if not found:
        raise ValueError(_complaint(text, _LAYOUT))
    year, month, day, hour, minute, second = (int(found[n]) for n in range(1, 7))
    zone = UTC
    if found[8] != "Z":
        offset = timedelta(hours=int(found[10]), minutes=int(found[11]))
        zone = timezone(offset if found[9] == "+" else -offset) if offset < timedelta(days=1) else UTC
    micro = int((found[7] or "").ljust(6, "0")[:6])
    try:
        return datetime(year, month, day, hour, minute, second, micro, zone).astimezone(UTC)
    except (ValueError, OverflowError):
        name = "month" if not 1 <= month <= 12 else "hour" if hour > 23 else "minute" if minute > 59 else "day"
        name = "second" if second > 59 and name == "day" else name
        raise ValueError(f'parsing time "{text}": {name} out of range') from None


def canonical_time(text: str) -> str:
    """`2024-05-01T10:00:00+02:00` → `2024-05-01T08:00:00Z`. Raises ValueError."""
    moment = parse_time(text)
    return text if _PLAIN.fullmatch(text) else write_time(moment)


def canonical_micro_time(text: str) -> str:
    """`2024-05-01T12:00:00.500000+02:00` → `2024-05-01T10:00:00.500000Z`. Raises ValueError, also for other digits."""
    found = _FULL.fullmatch(text)
    if found and len(found[7] or "") != 6:
        rest = text[19:]
        raise ValueError(f'parsing time "{text}" as "{_MICRO_LAYOUT}": cannot parse "{rest}" as ".000000"')
    try:
        return write_micro_time(parse_time(text))
    except ValueError as error:
        raise ValueError(str(error).replace(_LAYOUT, _MICRO_LAYOUT)) from None


def write_time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")


def write_micro_time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def _complaint(text: str, layout: str) -> str:
    rest = text
    for pattern, element in _STEPS:
        found = re.match(pattern, rest, re.ASCII)
        if not found:
            return f'parsing time "{text}" as "{layout}": cannot parse "{rest}" as "{element}"'
        rest = rest[found.end() :]
    return f'parsing time "{text}": extra text: "{rest}"'
