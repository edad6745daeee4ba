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

from weft.cluster.errors import ApiError, NotFound
from weft.cluster.objects.pod import Pod, PodStatus
from weft.cluster.objects.resource import PODS
from weft.kubelet.cri.model import ImageFacts, PodRecord, RuntimeFault
from weft.kubelet.pods.book import PodBook
from weft.kubelet.pods.decide import Decision, Waiting, backoff_key, decide
from weft.kubelet.pods.ender import Ender, grace_period
from weft.kubelet.pods.identity import containers_of, pod_key
from weft.kubelet.pods.images import StartError
from weft.kubelet.pods.services import NodeServices
from weft.kubelet.pods.starter import Starter
from weft.kubelet.volumes.payload import VolumeError

_RESYNC = 60.0
_log = logging.getLogger(__name__)


class _Later(Exception):
    """This round cannot go on; the next one may."""


class PodWorker:
    def __init__(self, node: NodeServices, pod: Pod, on_gone: Callable[[str], None]) -> None:
        self.over = False
        """Nothing of the pod runs any more, nor ever will, and what it needed is gone."""
        self._book = PodBook(node, pod)
        self._node = node
        self._starter, self._ender = Starter(node), Ender(node)
        self._on_gone = on_gone
        self._wake = asyncio.Event()
        self._removed = False
        self._finished = False
        self._failures = 0
        self._wake_at: float | None = None
        self._held: dict[str, float] = {}
        self._volumes: dict[str, Path] = {}
        self._refresh_at = 0.0
        self._action: asyncio.Task[None] | None = None
        self._action_ends = False

    @property
    def pod(self) -> Pod:
        return self._book.pod

    @property
    def uid(self) -> str:
        return self._book.uid

    @property
    def record(self) -> PodRecord:
        """What the runtime held when the worker last looked."""
        return self._book.record

    @property
    def told(self) -> PodStatus:
        """The status that was told last."""
        return self._book.told

    @property
    def busy(self) -> bool:
        """In the middle of a step."""
        return self._action is not None

    def waits(self, container: str) -> str:
        """Why the container waits to be started; "" where it does not."""
        waiting = self._book.waiting.get(container)
        return waiting.reason if waiting else ""

    @property
    def _ending(self) -> bool:
        gone = self.pod.is_deleting or self._removed
        return gone or self._finished or self._book.failed is not None or self.pod.is_terminal

    def update(self, pod: Pod) -> None:
        """The API server has a newer version of the pod."""
        before, old = grace_period(self.pod), self.pod
        self._book.pod = pod
        if pod.metadata.generation != old.metadata.generation:
            self._held.clear()
        if (pod.metadata.labels, pod.metadata.annotations) != (old.metadata.labels, old.metadata.annotations):
            self._refresh_at = 0.0
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

    async def _sync(self) -> None:
        await self._book.look()
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
        decision = self._without_held(decision)
        self._note_waiting(decision)
        self._tell()
        if decision.kill or decision.start or decision.sandbox_attempt is not None:
            await self._carry_out(decision)
            await self._ender.prune(self.record.containers)
        else:
            await self._refresh_volumes()

    def _tell(self) -> None:
        self._book.tell(over=self._ending)

    def _without_held(self, decision: Decision) -> Decision:
        """Leaves out what could not be started a moment ago, until its time comes."""
        now = time.time()
        self._held = {name: until for name, until in self._held.items() if until > now}
        if decision.sandbox_attempt is not None:
            return decision
        for start in decision.start:
            if until := self._held.get(start.container.name):
                self._wake_at = min(until, self._wake_at or until)
        starts = tuple(start for start in decision.start if start.container.name not in self._held)
        return dataclasses.replace(decision, start=starts)

    def _past_deadline(self) -> bool:
        seconds, began = self.pod.spec.active_deadline_seconds, self.told.start_time
        if seconds is None or began is None:
            return False
        until = datetime.fromisoformat(began).timestamp() + seconds
        if time.time() < until:
            self._wake_at = min(until, self._wake_at or until)
            return False
        message = "Pod was active on the node longer than the specified deadline"
        self._book.failed = ("DeadlineExceeded", message)
        self._node.tell(self.pod, None, "Normal", "DeadlineExceeded", message)
        self._wake.set()
        return True

    def _note_waiting(self, decision: Decision) -> None:
        """Containers in back-off; reasons of containers that are being started stay until it is known better."""
        for name, waiting in decision.waiting.items():
            if self._book.waiting.get(name) != waiting:
                container = next(c for c in containers_of(self.pod) if c.name == name)
                text = f"Back-off restarting failed container {name} in pod {pod_key(self.pod)}"
                self._node.tell(self.pod, container, "Warning", "BackOff", text)
        starting = {start.container.name for start in decision.start} | self._held.keys()
        kept = {name: waiting for name, waiting in self._book.waiting.items() if name in starting}
        self._book.waiting = {**kept, **decision.waiting}
        if decision.wake_at is not None:
            self._wake_at = min(decision.wake_at, self._wake_at or decision.wake_at)

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
        make_sandbox = decision.sandbox_attempt is not None
        if make_sandbox and self._failures:  # only where all goes well the image may come at the same time
            await self._make_sandbox(message)
            make_sandbox = False
        images = {
            start.container.name: asyncio.ensure_future(node.images.ensure(pod, start.container, message))
            for start in decision.start
        }
        try:
            if make_sandbox:
                await self._make_sandbox(message)
                if not all(image.done() for image in images.values()):
                    self._tell()
            await self._start_containers(decision, message, images)
        finally:
            for image in images.values():
                image.cancel()
            await asyncio.gather(*images.values(), return_exceptions=True)
        await self._book.look()
        self._tell()
        if decision.kill or any(start.container.is_sidecar for start in decision.start):
            self._wake.set()  # what comes next need not wait for an event

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
            self._volumes = await self._node.volumes.setup(self._book.with_status())
        except VolumeError as error:
            raise self._complaint("FailedMount", str(error)) from None
        self._refresh_at = time.time() + self._node.config.sync_seconds

    async def _make_sandbox(self, message: dict[str, Any]) -> None:
        try:
            await self._starter.make_sandbox(self.pod, message)
        except RuntimeFault as fault:
            text = f"Failed to create pod sandbox: {fault}"
            raise self._complaint("FailedCreatePodSandBox", text) from None
        await self._book.look()

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
                self._book.waiting.pop(name, None)
            except StartError as error:
                self._blame(name, error)

    def _blame(self, name: str, error: StartError) -> None:
        if error.reason in ("ErrImagePull", "ErrImageNeverPull", "InvalidImageName", "ImagePullBackOff"):
            container = next(c for c in containers_of(self.pod) if c.name == name)
            self._node.tell(self.pod, container, "Warning", "Failed", f"Error: {error.reason}")
        self._book.waiting[name] = Waiting(error.reason, error.message)
        again = time.time() + 10.0
        if error.reason == "ErrImagePull":
            again = time.time() + 1.0  # the next round finds it in back-off, and says so
        elif error.until:
            again = error.until
        self._held[name] = again
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
        self._finished = self._action_ends = True
        await self._end()

    async def _end(self) -> None:
        """Ends what runs; the last status says how it went."""
        if self.over:
            return
        await self._book.look()
        self._node.prober.stop_killing_probes(self.uid)
        self._tell()
        await self._ender.kill_pod(self._book.with_status(), self.record, grace_period(self.pod))
        await self._book.look()
        self._node.prober.forget(self.uid)
        self._book.waiting.clear()
        self._tell()
        await self._ender.remove_files(self.uid)
        await self._ender.remove_cgroup(self.uid)
        self.over = True

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
