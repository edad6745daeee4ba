"""Deletes pods from nodes with NoExecute taints, as soon as their tolerations end."""

from weft.cluster.errors import ApiError, NotFound
from weft.cluster.events import reference
from weft.cluster.objects.resource import NODES, PODS
from weft.cluster.objects.timestamps import format_time
from weft.cluster.port import Object
from weft.controllers.cache import key_of
from weft.controllers.context import Context
from weft.controllers.nodelifecycle.plan import eviction_in, no_execute
from weft.reconcile.queue import WorkQueue


class TaintEvictionController:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._nodes = context.cache(NODES)
        self._pods = context.cache(PODS)
        self._pods.add_index("node", lambda pod: (pod["spec"].get("nodeName", ""),))
        self._events = context.recorder("taint-eviction-controller")
        self._queue = WorkQueue(self._sync, name="taint-eviction", workers=8)
        self._since: dict[str, float] = {}

    async def run(self) -> None:
        await self._context.synced(self._nodes, self._pods)
        self._nodes.subscribe(self._node_changed)
        self._pods.subscribe(self._pod_changed)
        await self._queue.run()

    def _node_changed(self, name: str, old: Object | None, new: Object | None) -> None:
        if no_execute(old) != no_execute(new):
            for pod in self._pods.find("node", name):
                self._queue.add(key_of(pod))

    def _pod_changed(self, key: str, old: Object | None, new: Object | None) -> None:
        if new is None:
            self._since.pop(key, None)
        elif old is None or old["spec"] != new["spec"]:
            self._queue.add(key)

    async def _sync(self, key: str) -> None:
        pod = self._pods.objects.get(key)
        if pod is None or self._pods.is_doomed(pod) or not pod["spec"].get("nodeName"):
            return
        taints = no_execute(self._nodes.objects.get(pod["spec"]["nodeName"]))
        now = self._context.clock()
        wait = eviction_in(pod, taints, self._since.setdefault(key, now), now) if taints else None
        if wait is None:
            if self._since.pop(key, None) is not None and not taints:
                self._tell(pod, f"Cancelling deletion of Pod {key}")
            return
        if wait > 0:
            self._queue.add_after(key, wait + 0.05)
            return
        self._tell(pod, f"Marking for deletion Pod {key}")
        await self._evict(pod, now)

    def _tell(self, pod: Object, message: str) -> None:
        self._events.event(reference(PODS, pod), "Normal", "TaintManagerEviction", message)

    async def _evict(self, pod: Object, now: float) -> None:
        meta = pod["metadata"]
        condition = {
            "type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager",
            "message": "Taint manager: deleting due to NoExecute taint", "lastTransitionTime": format_time(now),
        }  # fmt: skip
        patch = {"metadata": {"uid": meta["uid"]}, "status": {"conditions": [condition]}}
        cluster = self._context.cluster
        try:
            await cluster.patch(PODS, meta["name"], patch, meta["namespace"], type="strategic", subresource="status")
            await cluster.delete(PODS, meta["name"], meta["namespace"], uid=meta["uid"])
        except NotFound:
            return
        except ApiError as error:
            if error.code != 409:
                raise
            return
        self._pods.forget(pod)
