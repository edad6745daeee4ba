"""Watches over nodes: a silent one becomes Unknown, is tainted, and its pods count as not ready."""

import asyncio
import logging

from weft.cluster.errors import ApiError, NotFound
from weft.cluster.events import reference
from weft.cluster.objects.resource import LEASES, NODES, PODS
from weft.cluster.objects.timestamps import format_time
from weft.cluster.port import Object
from weft.controllers.context import Context, whole
from weft.controllers.nodelifecycle import plan
from weft.controllers.nodelifecycle.plan import Signs
from weft.controllers.pods import is_ready
from weft.reconcile.queue import WorkQueue

_LOOK_EVERY = 5.0
_LEASES_IN = "kube-node-lease"

_log = logging.getLogger(__name__)


class NodeLifecycleController:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._nodes = context.cache(NODES)
        self._leases = context.cache(LEASES)
        self._pods = context.cache(PODS)
        self._pods.add_index("node", lambda pod: (pod["spec"].get("nodeName", ""),))
        self._events = context.recorder("node-controller")
        self._queue = WorkQueue(self._sync, name="nodelifecycle", workers=4)
        self._signs: dict[str, Signs] = {}
        self._was_ready: dict[str, bool] = {}
        self._blind = False

    async def run(self) -> None:
        await self._context.synced(self._nodes, self._leases, self._pods)
        self._nodes.subscribe(self._changed)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._queue.run())
            group.create_task(self._look())

    async def _look(self) -> None:
        while True:
            for name in self._nodes.objects:
                self._queue.add(name)
            await asyncio.sleep(_LOOK_EVERY)

    def _changed(self, name: str, old: Object | None, new: Object | None) -> None:
        if new is None:
            self._signs.pop(name, None)
            self._was_ready.pop(name, None)
            if old is not None:
                self._tell(old, "RemovingNode", f"Node {name} event: Removing Node {name} from Controller")
            return
        if name not in self._was_ready:
            self._was_ready[name] = False
            self._tell(new, "RegisteredNode", f"Node {name} event: Registered Node {name} in Controller")
        self._queue.add(name)

    def _tell(self, node: Object, reason: str, message: str) -> None:
        self._events.event(reference(NODES, node), "Normal", reason, message)

    async def _sync(self, name: str) -> None:
        node = self._nodes.objects.get(name)
        if node is None:
            return
        now = self._context.clock()
        lease = self._leases.get(_LEASES_IN, name)
        signs = self._signs[name] = plan.signs(self._signs.get(name), node, lease, now)
        try:
            silent = now > signs.at + plan.grace(node, self._context.options.node_monitor_grace)
            if silent and not await self._was_blind(name, now):
                node = await self._silence(node, now)
            node = await self._taint(node, now)
        except NotFound:
            return
        await self._note_readiness(name, node)

    async def _was_blind(self, name: str, now: float) -> bool:
        """Whether it was we who heard nothing: then every node gets its time anew, once the server answers again."""
        try:
            await self._context.cluster.get(LEASES, name, _LEASES_IN, as_=dict)
        except NotFound:
            pass
        except ApiError:
            self._blind = True
            raise
        if self._blind:
            self._blind = False
            for signs in self._signs.values():
                signs.at = now
            return True
        return False

    async def _silence(self, node: Object, now: float) -> Object:
        conditions = plan.silenced(node, now)
        status = node.get("status") or {}
        if conditions == status.get("conditions"):
            return node
        _log.warning("node %s has not been heard of for too long", node["metadata"]["name"])
        body = {**whole(NODES, node), "status": {**status, "conditions": conditions}}
        written = await self._context.cluster.update(NODES, body, subresource="status")
        self._nodes.remember(written)
        return written

    async def _taint(self, node: Object, now: float) -> Object:
        evict = any(plan.is_ready(each) for each in self._nodes.objects.values())
        taints = plan.taints(node, now, evict=evict)
        if taints == ((node.get("spec") or {}).get("taints") or []):
            return node
        meta = node["metadata"]
        patch = {"metadata": {"resourceVersion": meta["resourceVersion"]}, "spec": {"taints": taints or None}}
        written = await self._context.cluster.patch(NODES, meta["name"], patch)
        self._nodes.remember(written)
        return written

    async def _note_readiness(self, name: str, node: Object) -> None:
        """A node that stops being ready takes its pods out of service, since its agent may not be able to."""
        ready = plan.is_ready(node)
        before, self._was_ready[name] = self._was_ready.get(name, False), ready
        if ready:
            return
        if before:
            self._tell(node, "NodeNotReady", f"Node {name} status is now: NodeNotReady")
        # Where the agent is silent nobody else can tell; where it is not, one word is enough.
        if before or plan.is_unknown(node):
            pods = [pod for pod in self._pods.find("node", name) if is_ready(pod)]
            await asyncio.gather(*(self._mark_not_ready(pod) for pod in pods))

    async def _mark_not_ready(self, pod: Object) -> None:
        meta = pod["metadata"]
        condition = {"type": "Ready", "status": "False", "lastTransitionTime": format_time(self._context.clock())}
        patch = {"metadata": {"uid": meta["uid"]}, "status": {"conditions": [condition]}}
        try:
            written = await self._context.cluster.patch(
                PODS, meta["name"], patch, meta["namespace"], type="strategic", subresource="status"
            )
        except ApiError as error:
            _log.info("pod %s/%s could not be marked as not ready: %s", meta["namespace"], meta["name"], error)
            return
        self._pods.remember(written)
        self._events.event(reference(PODS, pod), "Warning", "NodeNotReady", "Node is not ready")
