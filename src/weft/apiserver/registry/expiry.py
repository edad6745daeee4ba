"""Events are forgotten an hour after they were last written, as kube-apiserver's --event-ttl has it."""

import asyncio
import time
from collections import deque
from collections.abc import Callable

from weft.apiserver.registry.failures import group_resource
from weft.apiserver.registry.registry import Registry
from weft.apiserver.storage.record import Change
from weft.cluster.objects.resource import CORE_EVENTS

TTL = 3600.0
"""Seconds. What was there when the server started is given the whole time again."""
_EVERY = 30.0
_EVENTS = group_resource(CORE_EVENTS)


class EventExpiry:
    def __init__(self, registry: Registry, clock: Callable[[], float] = time.monotonic) -> None:
        self._registry = registry
        self._clock = clock
        self._due: deque[tuple[float, str, int]] = deque()
        """(when, key, revision), the soonest first; a later write of the same key has an entry of its own."""
        for record in registry.store.head_all(_EVENTS):
            self._due.append((clock() + TTL, record.key, record.rv))
        registry.store.observers.append(self._written)

    def _written(self, resource: str, change: Change) -> None:
        if resource == _EVENTS and change.record is not None:
            self._due.append((self._clock() + TTL, change.key, change.rv))

    def expire(self) -> int:
        """Removes what is due; returns how many."""
        removed = 0
        while self._due and self._due[0][0] <= self._clock():
            _, key, rv = self._due.popleft()
            removed += self._registry.expire(CORE_EVENTS, key, rv)
        return removed

    async def run(self) -> None:
        while True:
            await asyncio.sleep(_EVERY)
            self.expire()
