"""Watches pods and nodes, decides one pod after the other, and binds many at once."""

import asyncio
import logging
import random
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from weft.cluster.errors import ApiError, Conflict, NotFound
from weft.cluster.events import EventRecorder, reference
from weft.cluster.objects.resource import NODES, PODS, SERVICES
from weft.cluster.objects.selector import equality_matches
from weft.cluster.objects.service import Service
from weft.cluster.objects.timestamps import format_time
from weft.cluster.port import Cluster
from weft.cluster.reflector import Reflector
from weft.scheduler.decide import Unschedulable, decide
from weft.scheduler.demand import demand_of
from weft.scheduler.filters import candidate
from weft.scheduler.objects import Node, Pod
from weft.scheduler.queue import SchedulingQueue, Waiting
from weft.scheduler.scores import Selector
from weft.scheduler.state import ClusterState

NAME = "default-scheduler"
_BINDINGS_AT_ONCE = 32
_FLUSH_EVERY = 1.0
_LOST_AFTER = 60.0

_log = logging.getLogger(__name__)


class Metrics:
    """Named as kube-scheduler's."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.attempts = Counter(
            "scheduler_schedule_attempts", "Attempts to schedule pods, by result.", ["result"], registry=self.registry
        )
        self.latency = Histogram(
            "scheduler_pod_scheduling_sli_duration_seconds",
            "From a pod's first attempt until it is bound.",
            registry=self.registry,
        )
        self.pending = Gauge("scheduler_pending_pods", "Pods that wait, by queue.", ["queue"], registry=self.registry)


class Scheduler:
    def __init__(
        self, cluster: Cluster, *, clock: Callable[[], float], wall_clock: Callable[[], float], seed: int | None = None
    ) -> None:
        """`clock` is monotonic, `wall_clock` gives Unix seconds."""
        self.metrics = Metrics()
        self._cluster = cluster
        self._clock, self._wall_clock = clock, wall_clock
        self._random = random.Random(seed)
        self._state = ClusterState()
        self._queue = SchedulingQueue()
        self._events = EventRecorder(cluster, NAME)
        self._pods: Reflector[Pod] = Reflector(cluster, PODS, Pod, self._pod_changed)
        self._nodes: Reflector[Node] = Reflector(cluster, NODES, Node, self._node_changed)
        self._services: Reflector[Service] = Reflector(cluster, SERVICES, Service)
        self._wake = asyncio.Event()
        self._backed_off = asyncio.Event()
        """Some pod has begun to back off: look anew at when the next one may be tried."""
        self._binding: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(_BINDINGS_AT_ONCE)
        self._assumed_at: dict[str, float] = {}

    def is_synced(self) -> bool:
        return all(each.synced.is_set() for each in (self._pods, self._nodes, self._services))

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for reflector in (self._nodes, self._services, self._pods):
                    group.create_task(reflector.run())
                # Deciding with half of the pods known would fill nodes twice.
                await asyncio.gather(*(each.synced.wait() for each in (self._pods, self._nodes, self._services)))
                group.create_task(self._tick())
                await self._schedule_for_ever()
        finally:
            for task in self._binding:
                task.cancel()
            await self._events.close()

    def _pod_changed(self, _key: str, old: Pod | None, new: Pod | None) -> None:
        if new is None or new.is_over:
            gone = new or old
            assert gone is not None
            self._queue.remove(gone.metadata.uid)
            if self._state.remove(gone.metadata.uid):
                self._wake_waiting(only_room=True)
        elif new.spec.node_name:
            self._queue.remove(new.metadata.uid)
            self._state.put(new)
        elif _is_ours(new) and not self._state.is_placed(new.metadata.uid):
            if new.metadata.deletion_timestamp:
                self._queue.remove(new.metadata.uid)
            elif old is None or old.spec != new.spec or old.metadata.labels != new.metadata.labels:
                self._queue.add(new)
                self._wake.set()
            else:
                self._queue.update(new)

    def _node_changed(self, name: str, old: Node | None, new: Node | None) -> None:
        if new is None:
            self._state.remove_node(name)
            return
        self._state.put_node(new)
        if old is None or _matters(old) != _matters(new):
            self._wake_waiting(only_room=False)

    def _wake_waiting(self, *, only_room: bool) -> None:
        self._queue.cluster_changed(self._clock(), only_room=only_room)
        self._backed_off.set()
        self._wake.set()

    async def _tick(self) -> None:
        while True:
            ends = self._queue.next_flush()
            wait = _FLUSH_EVERY if ends is None else min(max(ends - self._clock(), 0.01), _FLUSH_EVERY)
            try:
                await asyncio.wait_for(self._backed_off.wait(), wait)
            except TimeoutError:
                pass
            self._backed_off.clear()
            self._queue.flush(self._clock())
            if len(self._queue):
                self._wake.set()
            for queue, size in self._queue.sizes().items():
                self.metrics.pending.labels(queue).set(size)
            self._forget_lost()

    def _forget_lost(self) -> None:
        """Pods that were bound and deleted between two lists of the watch take no room."""
        now = self._clock()
        for uid, key in list(self._state.assumed.items()):
            if key not in self._pods.objects and now - self._assumed_at.get(uid, now) > _LOST_AFTER:
                self._state.remove(uid)
        self._assumed_at = {uid: at for uid, at in self._assumed_at.items() if uid in self._state.assumed}

    async def _schedule_for_ever(self) -> None:
        while True:
            waiting = self._queue.pop()
            if waiting is None:
                self._wake.clear()
                await self._wake.wait()
                continue
            # Back-pressure, and a chance for the watches: no more bindings under way than the server can take.
            await self._slots.acquire()
            task = asyncio.create_task(self._schedule(waiting, self._clock()))
            self._binding.add(task)
            task.add_done_callback(self._binding.discard)
            task.add_done_callback(lambda _task: self._slots.release())
            await asyncio.sleep(0)

    async def _schedule(self, waiting: Waiting, started: float) -> None:
        pod = waiting.pod
        try:
            node = decide(
                candidate(pod, demand_of(pod)), self._state.ready_nodes(), self._selector(pod), self._random.choice
            )
            if isinstance(node, Unschedulable):
                self.metrics.attempts.labels("unschedulable").inc()
                self._queue.failed(waiting, self._clock(), room_helps=node.room_helps)
                await self._tell_unschedulable(pod, node.message)
                return
            self._state.assume(pod, node)
            self._assumed_at[pod.metadata.uid] = self._clock()
            await self._bind(waiting, node, started)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self.metrics.attempts.labels("error").inc()
            _log.exception("pod %s could not be scheduled: %s", pod.metadata.key, error)
            self._queue.retry(waiting, self._clock())

    async def _bind(self, waiting: Waiting, node: str, started: float) -> None:
        pod, meta = waiting.pod, waiting.pod.metadata
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": meta.name, "namespace": meta.namespace, "uid": meta.uid},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        }
        try:
            await self._cluster.create(PODS, binding, meta.namespace, name=meta.name, subresource="binding")
        except (NotFound, Conflict):
            # Gone, or bound by someone else: the watch tells which.
            self._unassume(meta.uid)
            return
        except ApiError as error:
            self._unassume(meta.uid)
            self.metrics.attempts.labels("error").inc()
            _log.warning("binding pod %s to %s failed: %s", meta.key, node, error)
            self._events.event(reference(PODS, pod), "Warning", "FailedScheduling", f"binding rejected: {error}")
            self._queue.retry(waiting, self._clock())
            return
        self.metrics.attempts.labels("scheduled").inc()
        self.metrics.latency.observe(self._clock() - started)
        self._events.event(reference(PODS, pod), "Normal", "Scheduled", f"Successfully assigned {meta.key} to {node}")

    def _unassume(self, uid: str) -> None:
        if uid in self._state.assumed:
            self._state.remove(uid)

    async def _tell_unschedulable(self, pod: Pod, message: str) -> None:
        self._events.event(reference(PODS, pod), "Warning", "FailedScheduling", message)
        told = next((c for c in pod.status.conditions or () if c.type == "PodScheduled"), None)
        if told is not None and (told.status, told.reason, told.message) == ("False", "Unschedulable", message):
            return
        since = {} if told and told.status == "False" else {"lastTransitionTime": format_time(self._wall_clock())}
        condition = {
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message, **since,
        }  # fmt: skip
        patch = {"metadata": {"uid": pod.metadata.uid}, "status": {"conditions": [condition]}}
        meta = pod.metadata
        try:
            await self._cluster.patch(PODS, meta.name, patch, meta.namespace, type="strategic", subresource="status")
        except ApiError as error:
            _log.info("pod %s could not be told why it waits: %s", meta.key, error)

    def _selector(self, pod: Pod) -> Selector | None:
        """All labels that the Services of the pod select by; only asked for where no owner counts its pods."""
        if pod.controller:
            return None
        merged: dict[str, str] = {}
        for service in self._services.objects.values():
            selector = service.spec.selector
            here = selector and service.metadata.namespace == pod.metadata.namespace
            if selector and here and equality_matches(selector, pod.metadata.labels):
                merged.update(selector)
        return merged or None


def _is_ours(pod: Pod) -> bool:
    return (pod.spec.scheduler_name or NAME) == NAME and not pod.spec.scheduling_gates


def _matters(node: Node) -> tuple[object, ...]:
    """What of a node can make room for a pod; heartbeats are not part of it."""
    return node.spec, node.metadata.labels, node.status.allocatable
