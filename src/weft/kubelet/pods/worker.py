"""One pod's worker: looks at what is asked for and what is there, acts, tells; again whenever either changes.

    running ──deleted, deadline, all done──► ending ──► over ──deletion confirmed──► gone

A worker keeps nothing that a restarted agent could not find again in the runtime and in the API server.
"""

import asyncio
import dataclasses
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from weft.cluster.errors import ApiError, NotFound
from weft.cluster.objects.pod import Pod, PodStatus
from weft.cluster.objects.resource import PODS
from weft.kubelet.cri import model
from weft.kubelet.cri.model import ContainerRecord, ImageFacts, PodRecord, RuntimeFault
from weft.kubelet.logs.last_words import last_words
from weft.kubelet.pods.decide import Decision, Waiting, backoff_key, decide
from weft.kubelet.pods.ender import Ender, grace_period
from weft.kubelet.pods.identity import containers_of, pod_key
from weft.kubelet.pods.images import StartError
from weft.kubelet.pods.services import NodeServices
from weft.kubelet.pods.starter import Starter
from weft.kubelet.status.compose import compose
from weft.kubelet.status.conditions import OWNED
from weft.kubelet.status.containers import View, rfc3339
from weft.kubelet.volumes.payload import VolumeError

_RESYNC = 60.0
_log = logging.getLogger(__name__)


class _Later(Exception):
    """This round cannot go on; the next one may."""


class PodWorker:
    def __init__(self, node: NodeServices, pod: Pod, on_gone: Callable[[str], None]) -> None:
        self.pod = pod
        self.record = PodRecord()
        """What the runtime held when the worker last looked."""
        self.over = False
        """Nothing of the pod runs any more, nor ever will."""
        self._node = node
        self._starter, self._ender = Starter(node), Ender(node)
        self._on_gone = on_gone
        self._status = pod.status
        self._waiting: dict[str, Waiting] = {}
        self._wake = asyncio.Event()
        self._removed = False
        self._end_reason: tuple[str, str] | None = None
        self._failures = 0
        self._wake_at: float | None = None
        self._volumes: dict[str, Path] = {}
        self._refresh_at = 0.0
        self._action: asyncio.Task[None] | None = None
        self._action_ends = False

    @property
    def uid(self) -> str:
        return self.pod.metadata.uid

    @property
    def told(self) -> PodStatus:
        """The status that was told last."""
        return self._status

    @property
    def busy(self) -> bool:
        """In the middle of a step."""
        return self._action is not None

    def waits(self, container: str) -> str:
        """Why the container waits to be started; "" where it does not."""
        waiting = self._waiting.get(container)
        return waiting.reason if waiting else ""

    @property
    def _ending(self) -> bool:
        return self.pod.is_deleting or self._removed or self._end_reason is not None or self.pod.is_terminal

    def update(self, pod: Pod) -> None:
        """The API server has a newer version of the pod."""
        before = grace_period(self.pod)
        self.pod = pod
        shorter = self._ending and self._action_ends and grace_period(pod) < before
        if self._action is not None and (shorter or (self._ending and not self._action_ends)):
            self._action.cancel()
        self._wake.set()

    def remove(self, last: Pod) -> None:
        """The API server does not have the pod any more."""
        self._removed = True
        self.update(last)

    def wake(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        """Until the pod is gone, or cancelled."""
        while True:
            self._wake.clear()
            self._action_ends = self._ending
            step = self._end() if self._ending else self._sync()
            self._action = asyncio.create_task(self._guarded(step), name=f"pod {self.pod.metadata.key}")
            try:
                await asyncio.shield(self._action)
            except asyncio.CancelledError:
                if not self._action.cancelled():  # it is the worker that is being cancelled
                    self._action.cancel()
                    raise
                self._wake.set()
            finally:
                self._action = None
            if self.over and (self._removed or self.pod.is_deleting) and await self._confirm():
                self._on_gone(self.uid)
                return
            await self._rest()

    async def _rest(self) -> None:
        now = time.time()
        wait = _RESYNC if self._wake_at is None else min(max(self._wake_at - now, 0.01), _RESYNC)
        try:
            await asyncio.wait_for(self._wake.wait(), wait)
        except TimeoutError:
            pass

    async def _guarded(self, step: Coroutine[Any, Any, None]) -> None:
        self._wake_at = None
        try:
            await step
            self._failures = 0
        except (_Later, RuntimeFault, ApiError, OSError) as error:
            self._failures += 1
            delay = min(0.25 * 2**self._failures, 30.0)
            self._wake_at = time.time() + delay
            if not isinstance(error, _Later):
                _log.warning("pod %s: %s, again in %.1f s", self.pod.metadata.key, error, delay)
        except Exception:  # a mistake in the agent must not take the other pods down
            self._failures += 1
            self._wake_at = time.time() + min(0.25 * 2**self._failures, 30.0)
            _log.exception("pod %s", self.pod.metadata.key)

    async def _look(self) -> None:
        record = await self._node.runtime.pod(self.uid)
        containers = tuple(self._with_last_words(item) for item in record.containers)
        self.record = dataclasses.replace(record, containers=containers)
        known = {container.name: container for container in containers_of(self.pod)}
        running = {
            item.id: (known[item.name], item) for item in containers if item.name in known and item.phase == "running"
        }
        sandbox = self.record.sandbox
        addresses = (
            self._node.config.node_addresses if self.pod.spec.host_network else sandbox.addresses if sandbox else ()
        )
        if addresses or not running:
            self._node.prober.watch(self.pod_with_status(), running, addresses[0] if addresses else "")

    def _with_last_words(self, record: ContainerRecord) -> ContainerRecord:
        if record.phase != "exited" or record.message:
            return record
        path = self._node.own_directory(self.uid) / "containers" / record.name / str(record.attempt)
        fall_back = record.annotations.get(model.TERMINATION_POLICY) == "FallbackToLogsOnError"
        words = last_words(path, Path(record.log_path) if fall_back and record.exit_code else None)
        return dataclasses.replace(record, message=words) if words else record

    def pod_with_status(self) -> Pod:
        """The pod as the API server has it, with the status that this worker told last."""
        foreign = tuple(c for c in self.pod.status.conditions or () if c.type not in OWNED)
        own = tuple(c for c in self._status.conditions or () if c.type in OWNED)
        status = msgspec.structs.replace(self._status, conditions=own + foreign)
        return msgspec.structs.replace(self.pod, status=status)

    def _tell_status(self) -> None:
        view = View(self.pod_with_status(), self.record, self._waiting, self._node.prober.health(self.uid))
        now = rfc3339(time.time()) or ""
        status = compose(view, self._node.config.node_addresses, now, over=self.over or self._ending)
        if self._end_reason is not None:
            reason, message = self._end_reason
            status = msgspec.structs.replace(status, phase="Failed", reason=reason, message=message)
        self._publish(status)

    def _publish(self, status: PodStatus) -> None:
        self._status = status
        self._node.statuses.publish(self.pod, status)

    async def _sync(self) -> None:
        await self._look()
        if self._past_deadline():
            return
        decision = decide(
            self.pod,
            self.record,
            now=time.time(),
            backoff=self._node.backoff,
            failing=self._node.prober.failing(self.uid),
            started=self._node.prober.health(self.uid).started,
        )
        if decision.kill_pod:
            await self._finish()
            return
        self._note_waiting(decision)
        self._tell_status()
        if decision.kill or decision.start or decision.sandbox_attempt is not None:
            await self._carry_out(decision)
            await self._ender.prune(self.record.containers)
        else:
            await self._refresh_volumes()

    def _past_deadline(self) -> bool:
        seconds, began = self.pod.spec.active_deadline_seconds, self._status.start_time
        if seconds is None or began is None:
            return False
        until = datetime.fromisoformat(began).timestamp() + seconds
        if time.time() < until:
            self._wake_at = min(until, self._wake_at or until)
            return False
        message = "Pod was active on the node longer than the specified deadline"
        self._end_reason = ("DeadlineExceeded", message)
        self._node.tell(self.pod, None, "Normal", "DeadlineExceeded", message)
        self._wake.set()
        return True

    def _note_waiting(self, decision: Decision) -> None:
        """Containers in back-off; reasons of containers that are being started stay until it is known better."""
        for name, waiting in decision.waiting.items():
            if self._waiting.get(name) != waiting:
                container = next(c for c in containers_of(self.pod) if c.name == name)
                text = f"Back-off restarting failed container {name} in pod {pod_key(self.pod)}"
                self._node.tell(self.pod, container, "Warning", "BackOff", text)
        starting = {start.container.name for start in decision.start}
        kept = {name: waiting for name, waiting in self._waiting.items() if name in starting}
        self._waiting = {**kept, **decision.waiting}
        if decision.wake_at is not None:
            self._wake_at = decision.wake_at

    async def _carry_out(self, decision: Decision) -> None:
        pod, node = self.pod, self._node
        for kill in decision.kill:
            grace = grace_period(pod) if kill.grace is None else kill.grace
            await self._ender.kill(pod, kill.record, grace, kill.message)
        attempt = decision.sandbox_attempt
        if attempt is not None:
            await self._renew_sandbox()
        if decision.start:
            await self._mount()
        attempt = attempt if attempt is not None else (self.record.sandbox.attempt if self.record.sandbox else 0)
        try:
            message = self._starter.sandbox_message(pod, attempt)
        except StartError as error:
            raise self._complaint("FailedCreatePodSandBox", f"Failed to create pod sandbox: {error}") from None
        images = {
            start.container.name: asyncio.ensure_future(node.images.ensure(pod, start.container, message))
            for start in decision.start
        }
        try:
            if decision.sandbox_attempt is not None:
                await self._make_sandbox(message)
                if not all(image.done() for image in images.values()):
                    self._tell_status()
            await self._start_containers(decision, message, images)
        finally:
            for image in images.values():
                image.cancel()
            await asyncio.gather(*images.values(), return_exceptions=True)
        await self._look()
        self._tell_status()
        if decision.kill or any(container.startup_probe is None for container in pod.spec.init_containers or ()):
            self._wake.set()

    async def _renew_sandbox(self) -> None:
        if self.record.sandboxes:
            text = "Pod sandbox changed, it will be killed and re-created."
            self._node.tell(self.pod, None, "Normal", "SandboxChanged", text)
            await self._ender.kill_pod(self.pod, self.record, grace_period(self.pod))
        if not (self._node.network.ready or self.pod.spec.host_network):
            network = self._node.network
            raise self._complaint(
                "NetworkNotReady",
                "network is not ready: container runtime network not ready: NetworkReady=false "
                f"reason:{network.reason} message:{network.message}",
            )

    async def _mount(self) -> None:
        try:
            self._volumes = await self._node.volumes.setup(self.pod_with_status())
        except VolumeError as error:
            raise self._complaint("FailedMount", str(error)) from None
        self._refresh_at = time.time() + self._node.config.sync_seconds

    async def _make_sandbox(self, message: dict[str, Any]) -> None:
        try:
            await self._starter.make_sandbox(self.pod, message)
        except RuntimeFault as fault:
            text = f"Failed to create pod sandbox: {fault}"
            raise self._complaint("FailedCreatePodSandBox", text) from None
        self.record = await self._node.runtime.pod(self.uid)

    def _complaint(self, reason: str, message: str) -> _Later:
        self._node.tell(self.pod, None, "Warning", reason, message)
        return _Later(message)

    async def _start_containers(
        self, decision: Decision, message: dict[str, Any], images: Mapping[str, "asyncio.Future[ImageFacts]"]
    ) -> None:
        sandbox = self.record.sandbox
        if sandbox is None:
            raise _Later("the sandbox is gone")
        for start in decision.start:
            name = start.container.name
            if start.failed_at:
                self._node.backoff.next(backoff_key(self.pod, start.container), start.failed_at, time.time())
            try:
                await self._starter.start(self.pod, start, self.record, sandbox, message, self._volumes, images[name])
                self._waiting.pop(name, None)
            except StartError as error:
                self._blame(name, error)

    def _blame(self, name: str, error: StartError) -> None:
        if error.reason in ("ErrImagePull", "ErrImageNeverPull", "InvalidImageName", "ImagePullBackOff"):
            container = next(c for c in containers_of(self.pod) if c.name == name)
            self._node.tell(self.pod, container, "Warning", "Failed", f"Error: {error.reason}")
        self._waiting[name] = Waiting(error.reason, error.message)
        again = time.time() + 10.0
        if error.reason == "ErrImagePull":
            again = time.time() + 1.0  # the next round finds it in back-off, and says so
        elif error.until:
            again = error.until
        self._wake_at = min(again, self._wake_at or again)

    async def _refresh_volumes(self) -> None:
        now = time.time()
        if now >= self._refresh_at:
            await self._mount()
        at = self._refresh_at
        if any(v.config_map or v.secret or v.projected or v.downward_api for v in self.pod.spec.volumes or ()):
            self._wake_at = min(at, self._wake_at or at)

    async def _finish(self) -> None:
        """All containers have done what they were made for, or failed for good."""
        self._waiting.clear()
        self.over = True
        await self._end()

    async def _end(self) -> None:
        """Ends what runs; the last status says how it went."""
        if self.over and not self.record.running() and not any(s.ready for s in self.record.sandboxes):
            return
        await self._look()
        self._node.prober.stop_killing_probes(self.uid)
        self._tell_status()
        await self._ender.kill_pod(self.pod_with_status(), self.record, grace_period(self.pod))
        await self._look()
        self._node.prober.forget(self.uid)
        self.over = True
        self._waiting.clear()
        self._tell_status()
        await self._ender.remove_files(self.uid)
        await self._ender.remove_cgroup(self.uid)

    async def _confirm(self) -> bool:
        """Lets the API server forget the pod, then removes what the runtime remembers. False: try again."""
        node = self._node
        try:
            if not self._removed:
                await _within(node.statuses.flush(self.uid), 10.0)
                meta = self.pod.metadata
                await node.cluster.delete(PODS, meta.name, meta.namespace, uid=meta.uid, grace_period=0)
        except NotFound:
            pass
        except (ApiError, TimeoutError) as error:
            if getattr(error, "code", 0) != 409:  # another pod has the name: ours is gone
                self._wake_at = time.time() + 1.0
                return False
        try:
            await self._ender.remove_from_runtime(self.record)
        except RuntimeFault as fault:  # the sweep finds it again
            _log.warning("pod %s: %s", self.pod.metadata.key, fault)
        self._ender.remove_logs(pod_key(self.pod))
        node.prober.forget(self.uid)
        node.statuses.forget(self.uid)
        node.images.forget(self.uid)
        node.backoff.forget(f"{self.uid}/")
        return True


async def _within(awaitable: Awaitable[None], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        await awaitable
