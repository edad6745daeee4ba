"""The pods of this node: a worker for each, fed by the API server, the runtime and the probes."""

import asyncio
import logging
from pathlib import Path

from weft.cluster.objects.pod import Pod
from weft.cluster.objects.resource import PODS
from weft.cluster.reflector import Reflector
from weft.kubelet.cri import events
from weft.kubelet.cri.model import PodKey, PodRecord, RuntimeFault
from weft.kubelet.pods.ender import Ender
from weft.kubelet.pods.services import NodeServices
from weft.kubelet.pods.worker import PodWorker

_RELIST = 10.0
"""Seconds between looks at everything, while events flow; they make up for an event that got lost."""
_POLL = 1.0
_NETWORK_WAIT = 0.2
_LOOKS = (0.005, 0.05, 0.3)

_Shape = frozenset[tuple[str, str]]
_log = logging.getLogger(__name__)


class PodAgent:
    def __init__(self, node: NodeServices) -> None:
        self._node = node
        self._ender = Ender(node)
        self._pods = Reflector(
            node.cluster, PODS, Pod, self._changed, field_selector=f"spec.nodeName={node.config.node_name}"
        )
        self.workers: dict[str, PodWorker] = {}
        """By uid."""
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._owners: dict[str, str] = {}
        self._shapes: dict[str, _Shape] = {}
        self._suspects: set[str] = set()
        self._evented = False
        self._group: asyncio.TaskGroup | None = None
        self.relisted_at: float | None = None
        """Loop time of the last good look at the runtime."""

    @property
    def synced(self) -> bool:
        return self._pods.synced.is_set()

    def pod(self, uid: str) -> Pod | None:
        worker = self.workers.get(uid)
        return worker.pod if worker else None

    def find(self, namespace: str, name: str, uid: str = "") -> PodWorker | None:
        """The worker of a pod by its name; where two of one name are here, the newer one unless `uid` is given."""
        found = [
            worker
            for worker in self.workers.values()
            if (worker.pod.metadata.namespace, worker.pod.metadata.name) == (namespace, name)
            and uid in ("", worker.uid)
        ]
        return max(found, key=lambda worker: worker.pod.metadata.creation_timestamp or "", default=None)

    def wake(self, uid: str) -> None:
        if worker := self.workers.get(uid):
            worker.wake()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            self._group = group
            group.create_task(self._pods.run(), name="pods")
            group.create_task(self._relist_for_ever(), name="relist")
            group.create_task(events.follow(self._node.runtime, self._event, self._stream), name="runtime events")
            group.create_task(self._watch_network(), name="network")

    def _changed(self, _key: str, old: Pod | None, new: Pod | None) -> None:
        replaced = old is not None and (new is None or new.metadata.uid != old.metadata.uid)
        if replaced and old is not None and (worker := self.workers.get(old.metadata.uid)):
            worker.remove(old)
        if new is None:
            return
        if worker := self.workers.get(new.metadata.uid):
            worker.update(new)
        else:
            self._hire(new)

    def _hire(self, pod: Pod) -> None:
        assert self._group is not None
        worker = self.workers[pod.metadata.uid] = PodWorker(self._node, pod, self._dismiss)
        self._tasks[pod.metadata.uid] = self._group.create_task(worker.run(), name=f"pod {pod.metadata.key}")

    def _dismiss(self, uid: str) -> None:
        self.workers.pop(uid, None)
        self._tasks.pop(uid, None)
        self._shapes.pop(uid, None)

    def _event(self, container_id: str) -> None:
        """A container ended. The runtime tells so a moment before its own lists show it: look more than once."""
        loop = asyncio.get_running_loop()
        for delay in _LOOKS:
            loop.call_later(delay, self._ended, container_id)

    def _ended(self, container_id: str) -> None:
        uid = self._owners.get(container_id)
        if uid is None:
            for worker in self.workers.values():
                self._learn(worker.uid, worker.record)
            uid = self._owners.get(container_id)
        if uid is not None:
            self.wake(uid)
            return
        for worker in self.workers.values():
            if worker.busy:  # it may just have started that container, and not looked yet
                worker.wake()

    def _learn(self, uid: str, record: PodRecord) -> None:
        self._owners |= {container.id: uid for container in record.containers}
        self._owners |= {sandbox.id: uid for sandbox in record.sandboxes}

    def _stream(self, flows: bool) -> None:
        if flows != self._evented:
            _log.info("runtime events %s", "flow" if flows else "do not flow: polling")
        self._evented = flows

    async def _relist_for_ever(self) -> None:
        while True:
            try:
                await self._relist()
                self.relisted_at = asyncio.get_running_loop().time()
            except RuntimeFault as fault:
                _log.warning("cannot list what the runtime holds: %s", fault)
            await asyncio.sleep(_RELIST if self._evented else _POLL)

    async def _relist(self) -> None:
        """Wakes the workers whose pods changed; ends what no worker knows."""
        found = await self._node.runtime.pods()
        self._owners = {}
        for key, record in found.items():
            self._learn(key.uid, record)
            shape = _shape(record)
            if self._shapes.get(key.uid) != shape:
                self._shapes[key.uid] = shape
                self.wake(key.uid)
        if self.synced:
            await self._sweep(found)

    async def _sweep(self, found: dict[PodKey, PodRecord]) -> None:
        """Ends pods, and removes leftovers, that were strangers at the last look already."""
        strangers = {key.uid: key for key in found if key.uid not in self.workers}
        logs = {path.name.rpartition("_")[2]: path for path in self._log_directories()}
        leftovers = (self._node.volumes.known_pods() | set(logs)) - self.workers.keys() - strangers.keys()
        now = set(strangers) | leftovers
        for uid in self._suspects & now:
            try:
                if uid in strangers:
                    await self._ender.reap(strangers[uid], found[strangers[uid]])
                else:
                    await self._ender.remove_files(uid)
                    await self._ender.remove_cgroup(uid)
                    if uid in logs:
                        namespace, name, _ = logs[uid].name.split("_", 2)
                        self._ender.remove_logs(PodKey(namespace, name, uid))
            except (RuntimeFault, OSError) as error:
                _log.warning("cannot remove pod %s: %s", uid, error)
        self._suspects = now

    def _log_directories(self) -> list[Path]:
        try:
            return [path for path in self._node.config.pod_log_dir.iterdir() if path.name.count("_") == 2]
        except FileNotFoundError:
            return []

    async def _watch_network(self) -> None:
        """Knows whether pods can get a network; those that wait for one go on at once."""
        while True:
            was = self._node.network.ready
            try:
                self._node.network = (await self._node.runtime.status()).network
            except RuntimeFault as fault:
                _log.debug("runtime does not tell its status: %s", fault)
            if self._node.network.ready and not was:
                for worker in self.workers.values():
                    worker.wake()
            await asyncio.sleep(5.0 if self._node.network.ready else _NETWORK_WAIT)


def _shape(record: PodRecord) -> _Shape:
    """What of a pod's record a worker must react to."""
    return frozenset(
        [(sandbox.id, str(sandbox.ready)) for sandbox in record.sandboxes]
        + [(container.id, container.phase) for container in record.containers]
    )
