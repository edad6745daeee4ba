"""Answers as bytes, found by the bytes of the question.

The key is the whole query without its id: flags, question as spelled (0x20) and EDNS. So one look-up decides, and what
is sent back is the new id and the kept rest. Pure.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import cycle, repeat

CAPACITY = 32768
"""Entries of about 500 bytes; beyond it the oldest ones give way."""


class Entry:
    """One prepared answer. `take()` gives the bytes after the id, the next ones of several in turn."""

    __slots__ = ("asked", "labels", "said", "tags", "take", "times", "until")

    def __init__(
        self, bodies: Sequence[bytes], until: float, tags: tuple[str, ...], labels: tuple[str, ...], asked: int
    ) -> None:
        endless: Iterator[bytes] = repeat(bodies[0]) if len(bodies) == 1 else cycle(bodies)
        self.take: Callable[[], bytes] = endless.__next__
        self.until = until
        """Time (of the loop's clock) at which the bytes are no longer right."""
        self.tags = tuple(dict.fromkeys(tags))
        self.times = 0
        """Times it was given since the last count."""
        self.labels = labels
        self.asked = asked
        self.said = len(bodies[0]) + 2


class Prepared:
    """The table of one socket. `entries.get` is what the socket calls for every packet."""

    def __init__(self, count: Callable[[Entry], None], capacity: int = CAPACITY) -> None:
        self.entries: dict[bytes, Entry] = {}
        self._by_tag: dict[str, list[bytes]] = {}
        self._count = count
        """Adds an entry's `times` to the metrics, before the entry is forgotten."""
        self._capacity = capacity

    def put(self, key: bytes, entry: Entry) -> None:
        if key in self.entries:
            self.drop(key)
        elif len(self.entries) >= self._capacity:
            self.drop(next(iter(self.entries)))
        self.entries[key] = entry
        for tag in entry.tags:
            self._by_tag.setdefault(tag, []).append(key)

    def drop(self, key: bytes) -> None:
        entry = self.entries.pop(key)
        self._count(entry)
        for tag in entry.tags:
            keys = self._by_tag[tag]
            keys.remove(key)
            if not keys:
                del self._by_tag[tag]

    def changed(self, tags: Iterable[str]) -> None:
        for tag in tags:
            for key in self._by_tag.get(tag, ())[:]:
                self.drop(key)

    def clear(self) -> None:
        self.count_all()
        self.entries.clear()
        self._by_tag.clear()

    def count_all(self) -> None:
        for entry in self.entries.values():
            if entry.times:
                self._count(entry)
                entry.times = 0
