"""Keeps a local copy of one resource: list, then watch, for ever (client-go calls this a reflector).

Every component that follows objects uses this. Callbacks are plain functions, called in order on the loop, and must be
quick: mark something dirty and return.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from weft.cluster.errors import ApiError, Expired
from weft.cluster.objects.resource import Resource
from weft.cluster.port import Cluster

T = TypeVar("T")
OnChange = Callable[[str, T | None, T | None], None]
"""Called with the key (`namespace/name`), the object before (None: it is new) and after (None: it is gone)."""

_log = logging.getLogger(__name__)


class Reflector(Generic[T]):
    """`objects` is the copy; `synced` is set once the first list is in; `run()` keeps it true until cancelled."""

    def __init__(
        self,
        cluster: Cluster,
        resource: Resource,
        as_: type[T],
        on_change: OnChange[T] | None = None,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
    ) -> None:
        self.resource = resource
        self.objects: dict[str, T] = {}
        self.synced = asyncio.Event()
        self.resource_version = ""
        self._cluster = cluster
        self._as = as_
        self._callbacks: list[OnChange[T]] = [on_change] if on_change else []
        self._namespace = namespace
        self._labels = label_selector
        self._fields = field_selector

    def subscribe(self, on_change: OnChange[T]) -> None:
        """Adds a callback; what is already in the copy is told to it at once."""
        self._callbacks.append(on_change)
        for key, obj in self.objects.items():
            on_change(key, None, obj)

    async def run(self) -> None:
        delay = 0.05
        while True:
            try:
                if not self.resource_version:
                    await self._list()
                await self._watch()
                delay = 0.05
            except Expired:
                self.resource_version = ""
            except ApiError as error:
                level = logging.WARNING if delay > 0.5 else logging.DEBUG  # servers restart, and start after us
                _log.log(level, "watch of %s broke off, again in %.1f s: %s", self.resource.plural, delay, error)
                # Jitter: a thousand nodes must not come back in the same instant.
                await asyncio.sleep(delay * random.uniform(0.8, 1.2))
                delay = min(delay * 2, 5.0)
                if error.code:
                    self.resource_version = ""

    async def _list(self) -> None:
        listing = await self._cluster.list(
            self.resource,
            self._namespace,
            as_=self._as,
            label_selector=self._labels,
            field_selector=self._fields,
        )
        fresh = {_key(obj): obj for obj in listing.items}
        for key in [key for key in self.objects if key not in fresh]:
            self._set(key, None)
        for key, obj in fresh.items():
            if self.objects.get(key) != obj:
                self._set(key, obj)
        self.resource_version = listing.resource_version
        self.synced.set()

    async def _watch(self) -> None:
        events = self._cluster.watch(
            self.resource,
            self._namespace,
            as_=self._as,
            resource_version=self.resource_version,
            label_selector=self._labels,
            field_selector=self._fields,
        )
        async for event in events:
            if event.object is not None:
                self._set(_key(event.object), None if event.type == "DELETED" else event.object)
            self.resource_version = event.resource_version

    def _set(self, key: str, new: T | None) -> None:
        old = self.objects.pop(key, None) if new is None else self.objects.get(key)
        if new is not None:
            self.objects[key] = new
        for callback in self._callbacks:
            callback(key, old, new)


def _key(obj: Any) -> str:
    """`namespace/name` of a plain object or of a struct."""
    if isinstance(obj, dict):
        meta = obj["metadata"]
        namespace = meta.get("namespace")
        return f"{namespace}/{meta['name']}" if namespace else str(meta["name"])
    return str(obj.metadata.key)
