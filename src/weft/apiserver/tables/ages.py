"""How long ago something was, as `kubectl get` says it (apimachinery `util/duration`)."""

from typing import Any

from weft.apiserver.schema.times import parse_time

_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 365 * 86400
UNKNOWN = "<unknown>"


def age(stamp: str | None, now: float) -> str:
    """`5m10s`; <unknown> for no time. `now` in Unix seconds."""
    if not stamp:
        return UNKNOWN
    return duration(now - parse_time(stamp).timestamp())


def created(obj: dict[str, Any], now: float) -> str:
    return age(obj.get("metadata", {}).get("creationTimestamp"), now)


def duration(elapsed: float) -> str:
    """Two units at most, fewer the longer it is."""
    seconds = int(elapsed)
    if seconds < -1:
        return "<invalid>"
    if seconds < 2 * _MINUTE:
        return f"{max(seconds, 0)}s"
    if seconds < 10 * _MINUTE:
        return _two(seconds, _MINUTE, "m", 1, "s", 60)
    if seconds < 3 * _HOUR:
        return f"{seconds // _MINUTE}m"
    if seconds < 8 * _HOUR:
        return _two(seconds, _HOUR, "h", _MINUTE, "m", 60)
    if seconds < 2 * _DAY:
        return f"{seconds // _HOUR}h"
    if seconds < 8 * _DAY:
        return _two(seconds, _DAY, "d", _HOUR, "h", 24)
    if seconds < 2 * _YEAR:
        return f"{seconds // _DAY}d"
    if seconds < 8 * _YEAR:
        return _two(seconds, _YEAR, "y", _DAY, "d", 365)
    return f"{seconds // _YEAR}y"


def _two(seconds: int, unit: int, sign: str, small: int, small_sign: str, per_unit: int) -> str:
    rest = seconds // small % per_unit
    return f"{seconds // unit}{sign}{rest}{small_sign}" if rest else f"{seconds // unit}{sign}"
