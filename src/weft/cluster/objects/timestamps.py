"""metav1.Time and MicroTime: RFC 3339 in UTC, to and from Unix seconds."""

from datetime import UTC, datetime


def format_time(seconds: float) -> str:
    """`2006-01-02T15:04:05Z`"""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str | None) -> float:
    """Unix seconds; 0 where there is no time or it cannot be read."""
    if not text:
        return 0.0
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0
