"""The steps that end a pod: preStop hooks, SIGTERM, grace, SIGKILL, the sandbox, and what is left on disk."""

import asyncio
import contextlib
import logging
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from weft.cluster.objects.container import Container
from weft.cluster.objects.pod import Pod
from weft.kubelet.cri import model
from weft.kubelet.cri.model import ContainerRecord, PodKey, PodRecord, RuntimeFault
from weft.kubelet.pods.hooks import HookError, run_hook
from weft.kubelet.pods.identity import find_container
from weft.kubelet.pods.services import NodeServices

_MINIMUM_GRACE = 2
_log = logging.getLogger(__name__)


def grace_period(pod: Pod) -> int:
    """Seconds from SIGTERM to SIGKILL: the deletion's own, or the pod's (never less than one)."""
    if pod.is_deleting and pod.metadata.deletion_grace_period_seconds is not None:
        return max(pod.metadata.deletion_grace_period_seconds, 1)
    grace = pod.spec.termination_grace_period_seconds
    return 30 if grace is None else max(grace, 1)


class Ender:
    def __init__(self, node: NodeServices) -> None:
        self._node = node

    async def kill_pod(self, pod: Pod, record: PodRecord, grace: int) -> None:
        """Ends all containers at once, sidecars after the others in reverse order, then the sandboxes."""
        until = time.monotonic() + grace
        sidecars = [container.name for container in pod.spec.init_containers or () if container.is_sidecar]
        running = [record for record in record.containers if record.phase in ("running", "unknown")]
        first = [record for record in running if record.name not in sidecars]
        await asyncio.gather(*(self.kill(pod, item, grace) for item in first))
        for name in reversed(sidecars):
            left = max(int(until - time.monotonic()), 0)
            await asyncio.gather(*(self.kill(pod, item, left) for item in running if item.name == name))
        await self.stop_sandboxes(record)

    async def kill(self, pod: Pod, record: ContainerRecord, grace: int, message: str = "") -> None:
        """Ends one container: the hook's time is part of `grace`. Returns when it has exited."""
        container = find_container(pod, record.name)
        self._node.tell(pod, container, "Normal", "Killing", message or f"Stopping container {record.name}")
        began = time.monotonic()
        if container is not None and grace > 0:
            await self._pre_stop(pod, container, record, grace)
        left = grace - int(time.monotonic() - began)
        await self._stop(record.id, max(left, _MINIMUM_GRACE if grace > 1 else 1))

    async def _stop(self, container_id: str, grace: int) -> None:
        try:
            await self._node.runtime.stop(container_id, grace)
        except RuntimeFault as fault:
            if fault.code != "NotFound":
                raise

    async def _pre_stop(self, pod: Pod, container: Container, record: ContainerRecord, grace: int) -> None:
        hook = container.lifecycle.pre_stop if container.lifecycle else None
        if hook is None:
            return
        address = (pod.addresses() or self._node.config.node_addresses or ("127.0.0.1",))[0]
        try:
            async with asyncio.timeout(grace):
                await run_hook(hook, container, record.id, address, self._node.runtime)
        except (TimeoutError, HookError) as error:
            _log.warning("preStop hook of %s in %s: %s", container.name, pod.metadata.key, error or "took too long")
            if isinstance(error, HookError):
                self._node.tell(pod, container, "Warning", "FailedPreStopHook", "PreStopHook failed")

    async def stop_sandboxes(self, record: PodRecord) -> None:
        """Takes the network away and ends the sandboxes; their records stay."""
        for sandbox in record.sandboxes:
            if sandbox.ready:
                await self._forgiving(self._node.runtime.stop_sandbox(sandbox.id))

    async def remove_from_runtime(self, record: PodRecord) -> None:
        """Removes sandboxes with their containers, which must have ended."""
        for container in record.containers:
            await self._forgiving(self._node.runtime.remove(container.id))
        for sandbox in record.sandboxes:
            if not sandbox.ready:  # also one whose network was never torn down in full
                await self._forgiving(self._node.runtime.stop_sandbox(sandbox.id))
            await self._forgiving(self._node.runtime.remove_sandbox(sandbox.id))

    async def _forgiving(self, call: "asyncio.Future[None] | object") -> None:
        try:
            await call  # type: ignore[misc]
        except RuntimeFault as fault:
            if fault.code != "NotFound":
                raise

    async def remove_files(self, uid: str) -> None:
        """Volumes and the kubelet's own files of a pod."""
        await asyncio.to_thread(self._node.volumes.teardown, uid)

    async def remove_cgroup(self, uid: str) -> None:
        await asyncio.to_thread(self._remove_cgroup, uid)

    def _remove_cgroup(self, uid: str) -> None:
        kubepods = self._node.config.kubepods
        for part in ("", "/burstable", "/besteffort"):
            self._node.cgroups.remove(f"{kubepods}{part}/pod{uid}")

    def remove_logs(self, key: PodKey) -> None:
        shutil.rmtree(Path(self._node.log_root()) / f"{key.namespace}_{key.name}_{key.uid}", ignore_errors=True)

    async def reap(self, key: PodKey, record: PodRecord) -> None:
        """Ends a pod that only the runtime still knows: deleted while no agent was there to see it."""
        running = [record for record in record.containers if record.phase == "running"]
        _log.info("ending pod %s, which is not known any more containers=%d", key, len(running))
        await asyncio.gather(*(self._stop(item.id, _recorded_grace(item)) for item in running))
        await self.stop_sandboxes(record)
        await self.remove_from_runtime(record)
        await self.remove_files(key.uid)
        await self.remove_cgroup(key.uid)
        self.remove_logs(key)

    async def prune(self, records: Sequence[ContainerRecord]) -> None:
        """Removes attempts beyond the last two of each container, and their logs."""
        seen: dict[str, int] = {}
        for record in records:
            seen[record.name] = seen.get(record.name, 0) + 1
            if seen[record.name] > 2 and record.phase == "exited":
                with contextlib.suppress(RuntimeFault):
                    await self._node.runtime.remove(record.id)
                    if record.log_path:
                        for path in Path(record.log_path).parent.glob(f"{record.attempt}.log*"):
                            path.unlink(missing_ok=True)


def _recorded_grace(record: ContainerRecord) -> int:
    text = record.annotations.get(model.GRACE_PERIOD, "")
    return max(int(text), 1) if text.isdigit() else 30
