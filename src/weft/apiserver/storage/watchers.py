"""Who is told of a resource's changes. Each watcher waits in one bucket, so a change looks only at those whom it can
concern: 5,000 kubelets that watch `spec.nodeName=…` cost a pod's change two look-ups."""

import asyncio
from collections import deque
from collections.abc import Iterator

from weft.apiserver.storage.filter import Filter, Index
from weft.apiserver.storage.record import Change

BACKLOG = 10_000
"""Undelivered changes after which a watcher is dropped; its client watches again from where it was."""

Bucket = tuple[str, str]
"""(field label, value), or ("", namespace), or ("", "") for all."""


class Watcher:
    """One watch. `pending` holds (event type, change), oldest first; `wake` tells that something is there."""

    __slots__ = ("bucket", "dropped", "filter", "pending", "since", "wake")

    def __init__(self, filter: Filter, since: int) -> None:
        self.filter = filter
        self.since = since
        """Changes up to this revision are known to the client."""
        self.pending: deque[tuple[str, Change]] = deque()
        self.wake = asyncio.Event()
        self.dropped = False
        self.bucket = _bucket(filter)

    def offer(self, change: Change, index: Index) -> None:
        if self.dropped or change.rv <= self.since:
            return
        type = transition(self.filter, change, index)
        if type is None:
            return
        if len(self.pending) >= BACKLOG:
            self.end()
        else:
            self.pending.append((type, change))
            self.wake.set()

    def end(self) -> None:
        self.dropped = True
        self.pending.clear()
        self.wake.set()


def transition(filter: Filter, change: Change, index: Index) -> str | None:
    """What the change looks like through the filter: an object that begins to match is ADDED."""
    now = change.record is not None and filter.matches(change.record, index)
    before = change.previous is not None and filter.matches(change.previous, index)
    if now:
        return "MODIFIED" if before else "ADDED"
    return "DELETED" if before else None


def _bucket(filter: Filter) -> Bucket:
    for requirement in filter.fields.requirements:
        if requirement.equal:
            return requirement.field, requirement.value
    return "", filter.namespace


class Watchers:
    def __init__(self, index: Index) -> None:
        self._index = index
        self._buckets: dict[Bucket, set[Watcher]] = {}
        self._fields: dict[str, int] = {}
        """How many watchers wait for a value of the field."""

    def __len__(self) -> int:
        return sum(map(len, self._buckets.values()))

    def __iter__(self) -> Iterator[Watcher]:
        return (watcher for bucket in list(self._buckets.values()) for watcher in list(bucket))

    def add(self, watcher: Watcher) -> None:
        self._buckets.setdefault(watcher.bucket, set()).add(watcher)
        field = watcher.bucket[0]
        if field:
            self._fields[field] = self._fields.get(field, 0) + 1

    def discard(self, watcher: Watcher) -> None:
        bucket = self._buckets.get(watcher.bucket)
        if not bucket or watcher not in bucket:
            return
        bucket.discard(watcher)
        if not bucket:
            del self._buckets[watcher.bucket]
        field = watcher.bucket[0]
        if field:
            self._fields[field] -= 1
            if not self._fields[field]:
                del self._fields[field]

    def offer(self, change: Change) -> None:
        if not self._buckets:
            return
        for bucket in self._concerned(change):
            for watcher in self._buckets.get(bucket, ()):
                watcher.offer(change, self._index)

    def _concerned(self, change: Change) -> set[Bucket]:
        records = [record for record in (change.record, change.previous) if record is not None]
        found: set[Bucket] = {("", ""), ("", records[0].namespace)}
        for field in self._fields:
            for record in records:
                found.add((field, self._index.value(record, field)))
        return found
