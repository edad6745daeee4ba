"""What every controller is given: the cluster, the shared copies of its objects, options, clock and event recorders."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from weft.addresses import Prefix
from weft.cluster.events import EventRecorder
from weft.cluster.objects.resource import Resource
from weft.cluster.port import Cluster, Object
from weft.controllers.cache import Cache


@dataclass(frozen=True)
class Options:
    """The flags of `weft controllers`."""

    cluster_cidrs: tuple[Prefix, ...] = ()
    node_mask_ipv4: int = 24
    node_mask_ipv6: int = 64
    service_cidrs: tuple[Prefix, ...] = ()
    root_ca_file: Path | None = None
    node_monitor_grace: float = 40.0
    terminated_pod_threshold: int = 12500


async def _no_resources() -> tuple[Resource, ...]:
    return ()


class Controller(Protocol):
    async def run(self) -> None:
        """Works until cancelled."""
        ...


@dataclass
class Context:
    cluster: Cluster
    options: Options = Options()
    discover: Callable[[], Awaitable[tuple[Resource, ...]]] = _no_resources
    """Every resource that the server can list, watch and delete, in its preferred version."""
    clock: Callable[[], float] = time.time
    caches: dict[Resource, Cache] = field(default_factory=dict)
    _running: dict[Resource, asyncio.Task[None]] = field(default_factory=dict)
    _recorders: dict[str, EventRecorder] = field(default_factory=dict)

    def cache(self, resource: Resource) -> Cache:
        """The one copy of the resource that all controllers of this process share."""
        if resource not in self.caches:
            self.caches[resource] = Cache(self.cluster, resource)
        return self.caches[resource]

    def recorder(self, component: str) -> EventRecorder:
        if component not in self._recorders:
            self._recorders[component] = EventRecorder(self.cluster, component)
        return self._recorders[component]

    async def synced(self, *caches: Cache) -> None:
        """Starts the watches of these copies where nobody has yet, and waits for their first lists."""
        for cache in caches:
            if cache.resource not in self._running:
                self._running[cache.resource] = asyncio.create_task(cache.run(), name=f"watch {cache.resource.plural}")
        await asyncio.gather(*(cache.synced.wait() for cache in caches))

    async def close(self) -> None:
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        await asyncio.gather(*(recorder.close() for recorder in self._recorders.values()))


def whole(resource: Resource, obj: Object) -> Object:
    """The object with its kind, which items of a list do not carry."""
    return {**obj, "apiVersion": resource.api_version, "kind": resource.kind}
