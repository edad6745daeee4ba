"""Drives ReplicaSets: claims their pods, makes and deletes what is missing or too many, tells the status."""

import asyncio
import logging

from weft.cluster.errors import ApiError, NotFound
from weft.cluster.events import reference
from weft.cluster.objects.resource import PODS, REPLICA_SETS
from weft.cluster.objects.selector import label_selector_matches
from weft.cluster.port import Object
from weft.controllers.cache import key_of, split
from weft.controllers.claiming import claimed
from weft.controllers.context import Context, whole
from weft.controllers.owners import controller_of, controller_reference, controller_uid
from weft.controllers.pods import is_active, is_finished, pod_from_template
from weft.controllers.replicaset import plan
from weft.reconcile.queue import WorkQueue

_log = logging.getLogger(__name__)


class ReplicaSetController:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._sets = context.cache(REPLICA_SETS)
        self._pods = context.cache(PODS)
        self._events = context.recorder("replicaset-controller")
        self._queue = WorkQueue(self._sync, name="replicaset", workers=5)

    async def run(self) -> None:
        await self._context.synced(self._sets, self._pods)
        self._sets.subscribe(lambda key, _old, _new: self._queue.add(key))
        self._pods.subscribe(self._pod_changed)
        await self._queue.run()

    def _pod_changed(self, _key: str, old: Object | None, new: Object | None) -> None:
        for pod in (old, new):
            if pod is None:
                continue
            owner = controller_of(pod)
            if owner is not None:
                if owner["kind"] == "ReplicaSet":
                    self._queue.add(f"{pod['metadata']['namespace']}/{owner['name']}")
            elif new is not None:
                for candidate in self._sets.find("namespace", pod["metadata"]["namespace"]):
                    if label_selector_matches(candidate["spec"].get("selector"), pod["metadata"].get("labels")):
                        self._queue.add(key_of(candidate))

    async def _sync(self, key: str) -> None:
        replica_set = self._sets.objects.get(key)
        if replica_set is None:
            return
        uid = replica_set["metadata"]["uid"]
        pods = [*self._pods.find("controller", uid), *self._pods.find("controller", f"orphans/{split(key)[0]}")]
        active = [pod for pod in pods if is_active(pod) and not self._pods.is_doomed(pod)]
        active = await claimed(self._context, REPLICA_SETS, replica_set, PODS, active)
        failure: ApiError | None = None
        decision = plan.decide(replica_set, active, self._related(replica_set), self._context.clock())
        try:
            await self._create(replica_set, decision.create)
            await self._delete(replica_set, decision.delete)
        except ApiError as error:
            failure = error
        await self._tell(key, failure)
        if failure is not None:
            raise failure

    def _related(self, replica_set: Object) -> list[Object]:
        """The pods of all replica sets with the same manager."""
        manager = controller_uid(replica_set)
        sets = self._sets.find("controller", manager) if manager else [replica_set]
        return [pod for each in sets for pod in self._pods.find("controller", each["metadata"]["uid"])]

    async def _create(self, replica_set: Object, count: int) -> None:
        for batch in plan.slow_start(count):
            results = await asyncio.gather(
                *(self._create_one(replica_set) for _ in range(batch)), return_exceptions=True
            )
            for result in results:
                if isinstance(result, BaseException):
                    raise result

    async def _create_one(self, replica_set: Object) -> None:
        namespace = replica_set["metadata"]["namespace"]
        about = reference(REPLICA_SETS, replica_set)
        pod = pod_from_template(
            replica_set["spec"]["template"], controller_reference(REPLICA_SETS, replica_set), namespace
        )
        try:
            made = await self._context.cluster.create(PODS, pod, namespace)
        except ApiError as error:
            if not _namespace_is_going(error):
                self._events.event(about, "Warning", "FailedCreate", f"Error creating: {error}")
            raise
        self._pods.remember(made)
        self._events.event(about, "Normal", "SuccessfulCreate", f"Created pod: {made['metadata']['name']}")

    async def _delete(self, replica_set: Object, pods: tuple[Object, ...]) -> None:
        results = await asyncio.gather(*(self._delete_one(replica_set, p) for p in pods), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _delete_one(self, replica_set: Object, pod: Object) -> None:
        meta, about = pod["metadata"], reference(REPLICA_SETS, replica_set)
        try:
            await self._context.cluster.delete(PODS, meta["name"], meta["namespace"], uid=meta["uid"])
        except NotFound:
            return
        except ApiError as error:
            self._events.event(about, "Warning", "FailedDelete", f"Error deleting: {error}")
            raise
        self._pods.forget(pod)
        self._events.event(about, "Normal", "SuccessfulDelete", f"Deleted pod: {meta['name']}")

    async def _tell(self, key: str, failure: ApiError | None) -> None:
        """Writes the status as it is after what was done."""
        replica_set = self._sets.objects.get(key)
        if replica_set is None:
            return
        selector, now = replica_set["spec"].get("selector"), self._context.clock()
        pods = [
            pod
            for pod in self._pods.find("controller", replica_set["metadata"]["uid"])
            if not is_finished(pod) and label_selector_matches(selector, pod["metadata"].get("labels"))
        ]
        active = [pod for pod in pods if not self._pods.is_doomed(pod)]
        status = plan.status(replica_set, active, len(pods) - len(active), failure, now)
        if status != replica_set.get("status"):
            written = await self._context.cluster.update(
                REPLICA_SETS, {**whole(REPLICA_SETS, replica_set), "status": status}, subresource="status"
            )
            self._sets.remember(written)
        if (wait := plan.recheck_after(replica_set, active, now)) is not None:
            # Timestamps have whole seconds: look a moment later.
            self._queue.add_after(key, wait + 0.05)


def _namespace_is_going(error: ApiError) -> bool:
    causes = error.details.get("causes")
    return isinstance(causes, list) and any(cause.get("reason") == "NamespaceTerminating" for cause in causes)
