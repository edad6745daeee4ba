"""The door to the cluster: reflectors that feed the model and say which prepared answers are to be forgotten."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from weft.cluster.objects.resource import ENDPOINT_SLICES, NAMESPACES, PODS, SERVICES
from weft.cluster.port import Cluster
from weft.cluster.reflector import Reflector
from weft.dns.plugins.kubernetes.model import Model
from weft.dns.plugins.kubernetes.objects import EndpointSlice, NamedEndpointSlice, Namespace, Pod, Service
from weft.dns.plugins.kubernetes.setup import Config

_log = logging.getLogger(__name__)
_LIVING_PODS = "status.phase!=Succeeded,status.phase!=Failed,status.phase!=Unknown"


class Sink(Protocol):
    """Where the watches tell what has happened."""

    def changed(self, tags: Iterable[str]) -> None: ...
    def changed_all(self) -> None: ...
    def fail(self, reason: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """What decides which objects are watched; server blocks that want the same share one set of watches."""

    kubeconfig: str
    context: str
    labels: str
    namespace_labels: str
    endpoints: bool
    endpoint_pod_names: bool
    pods: bool


def wanted(config: Config) -> Wanted:
    return Wanted(
        config.kubeconfig,
        config.context,
        config.labels,
        config.namespace_labels,
        config.endpoints,
        config.endpoint_pod_names,
        config.pods == "verified",
    )


class Watches:
    """`model` is true once `synced()`; `run` keeps it so until it is cancelled. Outlives reloads."""

    def __init__(
        self,
        cluster: Callable[[], Cluster],
        what: Wanted,
        sink: Sink,
        *,
        local_addresses: tuple[str, ...] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.model = Model()
        self.local_addresses = local_addresses
        self._cluster = cluster
        self._what = what
        self._sink = sink
        self._clock = clock
        self._ready = asyncio.Event()

    def synced(self) -> bool:
        return self._ready.is_set()

    async def wait(self, timeout: float) -> bool:
        """Waits for the first lists; False where they are not in after `timeout` seconds."""
        try:
            await asyncio.wait_for(self._ready.wait(), timeout)
        except TimeoutError:
            _log.warning("serving without the cluster's objects: the API server did not answer in %.0f s", timeout)
            return False
        return True

    async def run(self) -> None:
        cluster = self._cluster()
        what, model = self._what, self.model
        slice_type = NamedEndpointSlice if what.endpoint_pod_names else EndpointSlice
        selected = {"label_selector": what.labels}

        def service(key: str, old: Service | None, new: Service | None) -> None:
            self._touched(model.set_service(key, old, new))

        def slice_(key: str, old: EndpointSlice | None, new: EndpointSlice | None) -> None:
            self._touched(model.set_slice(key, old, new))

        def pod(key: str, old: Pod | None, new: Pod | None) -> None:
            self._touched(model.set_pod(key, old, new))

        def namespace(key: str, old: Namespace | None, new: Namespace | None) -> None:
            if model.set_namespace(key, new):
                model.serial = int(self._clock())
                self._sink.changed_all()

        reflectors: list[Reflector[Any]] = [
            Reflector(cluster, NAMESPACES, Namespace, namespace, label_selector=what.namespace_labels),
            Reflector(cluster, SERVICES, Service, service, **selected),
        ]
        if what.endpoints:
            reflectors.append(Reflector(cluster, ENDPOINT_SLICES, slice_type, slice_, **selected))
        if what.pods:
            reflectors.append(Reflector(cluster, PODS, Pod, pod, field_selector=_LIVING_PODS, **selected))
        try:
            await self._follow(reflectors)
        except Exception as error:
            # A copy that nobody keeps true is worse than a restart.
            self._sink.fail(f"kubernetes: the watch of the cluster ended: {error!r}")
            raise
        finally:
            await cluster.close()

    async def _follow(self, reflectors: list[Reflector[Any]]) -> None:
        async with asyncio.TaskGroup() as group:
            for reflector in reflectors:
                group.create_task(reflector.run())
            for reflector in reflectors:
                await reflector.synced.wait()
            self._ready.set()

    def _touched(self, tags: set[str]) -> None:
        self.model.serial = int(self._clock())
        self._sink.changed(tags)
