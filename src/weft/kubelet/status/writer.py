"""Carries pods' statuses to the API server: the newest one of each pod, in order, until it has arrived."""

import asyncio
import logging
from dataclasses import dataclass, field

from weft.cluster.errors import Conflict, NotFound
from weft.cluster.objects.pod import Pod, PodStatus
from weft.cluster.objects.resource import PODS
from weft.cluster.port import Cluster
from weft.kubelet.status.compose import status_patch
from weft.reconcile.queue import WorkQueue

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Entry:
    namespace: str
    name: str
    arrived: PodStatus
    wanted: PodStatus
    clean: asyncio.Event = field(default_factory=asyncio.Event)


class StatusWriter:
    """`publish()` returns at once; `flush()` waits until the API server knows. Run `run()` beside it."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._entries: dict[str, _Entry] = {}
        self._queue = WorkQueue(self._write, name="status of pod", workers=8)

    async def run(self) -> None:
        await self._queue.run()

    def publish(self, pod: Pod, status: PodStatus) -> None:
        """`pod.status` is taken for what the API server has, when the pod is new here."""
        meta = pod.metadata
        entry = self._entries.get(meta.uid)
        if entry is None:
            entry = self._entries[meta.uid] = _Entry(meta.namespace, meta.name, pod.status, status)
        entry.wanted = status
        if status_patch(entry.arrived, status):
            entry.clean.clear()
            self._queue.add(meta.uid)
        else:
            entry.clean.set()

    async def flush(self, uid: str) -> None:
        if entry := self._entries.get(uid):
            await entry.clean.wait()

    def forget(self, uid: str) -> None:
        self._entries.pop(uid, None)

    async def _write(self, uid: str) -> None:
        entry = self._entries.get(uid)
        if entry is None:
            return
        wanted = entry.wanted
        patch = status_patch(entry.arrived, wanted)
        if patch:
            body = {"metadata": {"uid": uid}, "status": patch}
            try:
                await self._cluster.patch(
                    PODS, entry.name, body, entry.namespace, type="strategic", subresource="status"
                )
            except (NotFound, Conflict) as error:
                # Gone, or another pod of this name: nobody waits for this status any more.
                _log.debug("status of pod %s/%s is not wanted: %s", entry.namespace, entry.name, error)
        entry.arrived = wanted
        if entry.wanted is wanted:
            entry.clean.set()
        else:
            self._queue.add(uid)
