"""Growing delays, per key (client-go's flowcontrol.Backoff): 10 s, doubled up to 5 min, forgotten after 10 quiet min.

Pure: the clock is an argument, in seconds.
"""

from dataclasses import dataclass

INITIAL = 10.0
MAXIMUM = 300.0


@dataclass(slots=True)
class _Entry:
    delay: float
    updated: float


class Backoff:
    """A key without a record does not wait: the first failure is retried at once."""

    def __init__(self, initial: float = INITIAL, maximum: float = MAXIMUM) -> None:
        self._initial = initial
        self._maximum = maximum
        self._entries: dict[str, _Entry] = {}

    def delay(self, key: str) -> float:
        """Seconds that lie between the last failure and the next attempt."""
        entry = self._entries.get(key)
        return entry.delay if entry else 0.0

    def until(self, key: str, failed_at: float) -> float:
        """When something that failed at `failed_at` may be tried again."""
        entry = self._entries.get(key)
        if entry is None or self._forgotten(entry, failed_at):
            return failed_at
        return failed_at + entry.delay

    def next(self, key: str, failed_at: float, now: float) -> float:
        """Notes one more attempt after a failure at `failed_at`; the delay that a further failure will bring."""
        entry = self._entries.get(key)
        if entry is None or self._forgotten(entry, failed_at):
            entry = self._entries[key] = _Entry(self._initial, now)
        else:
            entry.delay, entry.updated = min(entry.delay * 2, self._maximum), now
        return entry.delay

    def updated(self, key: str) -> float:
        """When the last attempt was noted; 0 for an unknown key."""
        entry = self._entries.get(key)
        return entry.updated if entry else 0.0

    def forget(self, prefix: str) -> None:
        for key in [key for key in self._entries if key.startswith(prefix)]:
            del self._entries[key]

    def _forgotten(self, entry: _Entry, failed_at: float) -> bool:
        return failed_at - entry.updated > 2 * self._maximum


def words(seconds: float) -> str:
    """A duration as Go prints it: `10s`, `1m20s`, `5m0s`."""
    whole = int(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
