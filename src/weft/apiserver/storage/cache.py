"""One resource in memory: its newest objects in the order of their keys, its recent changes, its watchers.

The state at any revision that the ring still reaches is the newest state with the later changes undone; so pages of a
list stay consistent without snapshots (KEP-4988 does the same with copies of a B-tree).
"""

from bisect import bisect_left, insort
from collections import deque
from dataclasses import dataclass

from weft.apiserver.storage.filter import Filter, Index
from weft.apiserver.storage.record import Change, Record
from weft.apiserver.storage.watchers import Watcher, Watchers

RING = 8192
"""Changes remembered per resource …"""
RING_BYTES = 16 << 20
"""… unless the superseded versions weigh more than this."""


@dataclass(frozen=True, slots=True)
class Page:
    records: list[Record]
    next_key: str
    """Where the next page begins; "" after the last."""
    remaining: int
    """How many keys lie beyond, before filtering."""


class TooOld(Exception):
    """The ring does not reach back to the revision."""


class ResourceCache:
    def __init__(self, index: Index, oldest: int = 0) -> None:
        self.index = index
        self.records: dict[str, Record] = {}
        self.ring: deque[Change] = deque()
        self.oldest = oldest
        """All changes after this revision are in the ring."""
        self.watchers = Watchers(index)
        self._keys: list[str] = []
        self._weight = 0
        self._by_field: dict[str, dict[str, set[str]]] = {}
        """Field label → value → keys, for fields that lists have asked for: a kubelet lists the pods of its node."""

    def load(self, record: Record) -> None:
        """At the start: a version from before the ring. Call `sort()` after the last."""
        self.records[record.key] = record

    def sort(self) -> None:
        self._keys = sorted(self.records)

    def apply(self, change: Change) -> None:
        """Moves to the next revision and tells the watchers."""
        self._move(change)
        self.ring.append(change)
        self._weight += len(change.previous.data) if change.previous else 0
        self.watchers.offer(change)

    def _move(self, change: Change) -> None:
        key = change.key
        old = self.records.get(key)
        for field, keys in self._by_field.items():
            if old is not None:
                _drop(keys, self.index.value(old, field), key)
            if change.record is not None:
                keys.setdefault(self.index.value(change.record, field), set()).add(key)
        if change.record is None:
            if old is not None:
                del self.records[key]
                del self._keys[bisect_left(self._keys, key)]
        else:
            if old is None:
                insort(self._keys, key)
            self.records[key] = change.record

    def trim(self) -> list[int]:
        """Forgets the oldest changes where the ring is over its limits; returns the revisions of versions that nobody
        needs any more."""
        if len(self.ring) <= RING and self._weight <= RING_BYTES:
            return []
        superseded: list[int] = []
        while self.ring and (len(self.ring) > RING * 7 // 8 or self._weight > RING_BYTES * 7 // 8):
            change = self.ring.popleft()
            self.oldest = change.rv
            if change.previous is not None:
                superseded.append(change.previous.rv)
                self._weight -= len(change.previous.data)
            if change.record is None:
                superseded.append(change.rv)
        return superseded

    def page(self, filter: Filter, rv: int | None = None, start: str = "", limit: int = 0) -> Page:
        """Matching objects from key `start` on, at most `limit` (0: all), as of revision `rv` (None: newest).

        Raises TooOld.
        """
        undone = self._undo(rv) if rv is not None else {}
        keys = self._range(filter, start, undone)
        found: list[Record] = []
        selects = filter.selects
        for position, key in enumerate(keys):
            record = undone[key] if key in undone else self.records.get(key)
            if record is None or (selects and not filter.matches(record, self.index)):
                continue
            if limit and len(found) == limit:
                return Page(found, key, len(keys) - position)
            found.append(record)
        return Page(found, "", 0)

    def _undo(self, rv: int) -> dict[str, Record | None]:
        """What is different at `rv` from now."""
        if rv < self.oldest:
            raise TooOld
        undone: dict[str, Record | None] = {}
        for change in reversed(self.ring):
            if change.rv <= rv:
                break
            undone[change.key] = change.previous
        return undone

    def _range(self, filter: Filter, start: str, undone: dict[str, Record | None]) -> list[str]:
        """Keys in order, from `start` on, that can match."""
        namespace = filter.namespace
        indexed = self._indexed(filter)
        keys = self._keys if indexed is None else sorted(indexed)
        first = f"{namespace}/" if namespace else ""
        if undone:
            keys = sorted({*keys, *undone})
        begin = bisect_left(keys, max(first, start)) if first or start else 0
        end = bisect_left(keys, f"{namespace}0") if namespace else len(keys)  # "0" follows "/"
        return keys[begin:end] if begin or end != len(keys) else keys

    def _indexed(self, filter: Filter) -> set[str] | None:
        """The keys that the filter's first exact field leaves, None where it has none."""
        for requirement in filter.fields.requirements:
            if not requirement.equal or requirement.field == "metadata.namespace":
                continue
            keys = self._by_field.get(requirement.field)
            if keys is None:
                keys = self._by_field[requirement.field] = {}
                for key, record in self.records.items():
                    keys.setdefault(self.index.value(record, requirement.field), set()).add(key)
            return keys.get(requirement.value, set())
        return None

    def changes_after(self, rv: int) -> list[Change]:
        """Raises TooOld."""
        if rv < self.oldest:
            raise TooOld
        found: list[Change] = []
        for change in reversed(self.ring):
            if change.rv <= rv:
                break
            found.append(change)
        found.reverse()
        return found

    def watch(self, filter: Filter, since: int) -> Watcher:
        """A watcher that has been offered all changes after `since` that are known. Raises TooOld."""
        watcher = Watcher(filter, since)
        for change in self.changes_after(since):
            watcher.offer(change, self.index)
        self.watchers.add(watcher)
        return watcher


def _drop(keys: dict[str, set[str]], value: str, key: str) -> None:
    found = keys.get(value)
    if found is not None:
        found.discard(key)
        if not found:
            del keys[value]
