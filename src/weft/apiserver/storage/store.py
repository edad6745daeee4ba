"""All resources under one revision counter.

There are two views. *Published* is what is on disk: readers and watchers see it. *Head* is published plus the writes
under way: writers build on it, so that two writes to one object need not wait for each other's flush. Commits come in
the order of revisions; a write is acknowledged only after those that it builds upon.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping

from weft.apiserver.storage.cache import ResourceCache
from weft.apiserver.storage.filter import Fields, Filter, Index
from weft.apiserver.storage.journal import Journal, Row
from weft.apiserver.storage.record import Change, Object, Record, decode, encode

log = logging.getLogger(__name__)

FUTURE_PATIENCE = 3.0
"""Seconds to wait for a revision that is yet to come (as kube-apiserver's watch cache does)."""


class Store:
    """Make it inside the running loop, with the selectable fields of every resource."""

    def __init__(self, journal: Journal, resources: Mapping[str, Fields], on_failure: Callable[[], None]) -> None:
        self._journal = journal
        self._on_failure = on_failure
        self._loop = asyncio.get_running_loop()
        compacted = journal.compacted()
        self._caches = {
            name: ResourceCache(Index(fields), compacted.get(name, 0)) for name, fields in resources.items()
        }
        self.published = 0
        self._head = 0
        self._overlay: dict[tuple[str, str], Change] = {}
        self._waiting: deque[tuple[str, Change, asyncio.Future[None]]] = deque()
        self._group: list[Row] = []
        """What the next transaction will hold."""
        self._flushing = False
        self._progress = asyncio.Event()
        self.failed = False
        self.observers: list[Callable[[str, Change], None]] = []
        """Told of each published change, in order: (resource, change)."""
        self._load()
        journal.start(self._from_thread, self._broken)

    def _load(self) -> None:
        for row in self._journal.load():
            self.published = row.rv
            cache = self._caches.get(row.resource)
            if cache is None:  # of a newer version of the program: kept on disk, not served
                continue
            record = None if row.value is None else Record(row.key, row.rv, row.value)
            if row.rv <= cache.oldest and record is not None:
                cache.load(record)
            elif record is not None or row.key in cache.records:
                previous = cache.records.get(row.key)
                cache.ring.append(Change(row.rv, record, previous))
                if record is None:
                    del cache.records[row.key]
                else:
                    cache.load(record)
        for cache in self._caches.values():
            cache.sort()
        # The newest rows may have been of resources that ended: revisions are never given twice.
        self._head = self.published

    def cache(self, resource: str) -> ResourceCache:
        return self._caches[resource]

    def sizes(self) -> Iterator[tuple[str, int, int]]:
        """(resource, objects, watchers)"""
        for name, cache in self._caches.items():
            yield name, len(cache.records), len(cache.watchers)

    def read(self, resource: str, key: str) -> Record | None:
        """The published version."""
        return self._caches[resource].records.get(key)

    def head(self, resource: str, key: str) -> Record | None:
        """The newest version, on disk or not yet."""
        change = self._overlay.get((resource, key))
        return change.record if change is not None else self._caches[resource].records.get(key)

    def head_all(self, resource: str, namespace: str = "") -> Iterator[Record]:
        """The newest versions of all objects of a namespace, in the order of their keys but for those under way."""
        pending = {key: change for (of, key), change in self._overlay.items() if of == resource}
        for record in self._caches[resource].page(Filter(namespace)).records:
            if record.key not in pending:
                yield record
        for change in pending.values():
            if change.record is not None and (not namespace or change.record.namespace == namespace):
                yield change.record

    def put(self, resource: str, key: str, obj: Object) -> tuple[Record, Awaitable[None]]:
        """Writes the next version (its resourceVersion is set in `obj`); await the second to have it durable."""
        self._head += 1
        obj["metadata"]["resourceVersion"] = str(self._head)
        record = Record(key, self._head, encode(obj))
        self._caches[resource].index.note(record, obj)
        return record, self._submit(resource, Change(self._head, record, self.head(resource, key)))

    def remove(self, resource: str, key: str) -> tuple[Change, Awaitable[None]]:
        self._head += 1
        change = Change(self._head, None, self.head(resource, key))
        return change, self._submit(resource, change)

    def _submit(self, resource: str, change: Change) -> Awaitable[None]:
        if self.failed:
            raise OSError("the store has failed")
        self._overlay[resource, change.key] = change
        done: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append((resource, change, done))
        if not self._group and not self._flushing:
            self._loop.call_soon(self._flush)
        self._group.append(Row(change.rv, resource, change.key, change.record.data if change.record else None))
        return done

    def _flush(self) -> None:
        """Hands over what has collected, while nothing else is on its way."""
        if self._group and not self._flushing:
            self._flushing = True
            self._journal.append(self._group)
            self._group = []

    def _from_thread(self, rv: int) -> None:
        self._loop.call_soon_threadsafe(self._publish, rv)

    def _publish(self, rv: int) -> None:
        touched: set[str] = set()
        self._flushing = False
        self._flush()
        while self._waiting and self._waiting[0][1].rv <= rv:
            resource, change, done = self._waiting.popleft()
            self.published = change.rv
            self._caches[resource].apply(change)
            touched.add(resource)
            if self._overlay.get((resource, change.key)) is change:
                del self._overlay[resource, change.key]
            for observer in self.observers:
                observer(resource, change)
            if not done.done():
                done.set_result(None)
        for resource in touched:
            if superseded := self._caches[resource].trim():
                self._journal.prune(resource, self._caches[resource].oldest, superseded)
        self._progress.set()
        self._progress = asyncio.Event()

    def _broken(self, error: Exception) -> None:
        self._loop.call_soon_threadsafe(self._fail, error)

    def _fail(self, error: Exception) -> None:
        log.critical("the store cannot be written, the server stops error=%r", str(error))
        self.failed = True
        for _, _, done in self._waiting:
            if not done.done():
                done.set_exception(OSError(f"cannot write the store: {error}"))
        self._waiting.clear()
        self._on_failure()

    async def reach(self, rv: int, patience: float = FUTURE_PATIENCE) -> bool:
        """Waits until revision `rv` is published; False when it is not after `patience` seconds."""
        deadline = self._loop.time() + patience
        while self.published < rv:
            left = deadline - self._loop.time()
            if left <= 0:
                return False
            try:
                await asyncio.wait_for(self._progress.wait(), left)
            except TimeoutError:
                return False
        return True

    def end_watches(self) -> None:
        """Before the server stops: its clients go on elsewhere, or here when it is back."""
        for cache in self._caches.values():
            for watcher in cache.watchers:
                watcher.end()

    def close(self) -> None:
        """Flushes what is under way."""
        if self._group and not self.failed:
            self._journal.append(self._group)
            self._group = []
        self._journal.close()


def key_of(namespace: str, name: str) -> str:
    return f"{namespace}/{name}" if namespace else name


__all__ = ["Store", "decode", "key_of"]
