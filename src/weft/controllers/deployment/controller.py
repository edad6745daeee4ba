"""Drives Deployments: claims their ReplicaSets, carries out one step, tells revision and status."""

import logging

from weft.cluster.errors import AlreadyExists, ApiError, NotFound
from weft.cluster.events import reference
from weft.cluster.objects.resource import DEPLOYMENTS, PODS, REPLICA_SETS
from weft.cluster.objects.selector import is_empty, label_selector_matches
from weft.cluster.port import Object
from weft.controllers.cache import key_of, split
from weft.controllers.claiming import claimed
from weft.controllers.context import Context, whole
from weft.controllers.deployment.plan import Step, next_step
from weft.controllers.deployment.revision import comparable, split_new_and_old
from weft.controllers.deployment.sizes import REVISION, is_rolling, revision
from weft.controllers.deployment.status import deadline, put, recheck_after, status
from weft.controllers.owners import controller_of, controller_uid
from weft.controllers.pods import is_finished
from weft.controllers.replicaset.plan import replicas
from weft.reconcile.queue import WorkQueue

_log = logging.getLogger(__name__)


class DeploymentController:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._deployments = context.cache(DEPLOYMENTS)
        self._sets = context.cache(REPLICA_SETS)
        self._pods = context.cache(PODS)
        self._events = context.recorder("deployment-controller")
        self._queue = WorkQueue(self._sync, name="deployment", workers=5)

    async def run(self) -> None:
        await self._context.synced(self._deployments, self._sets, self._pods)
        self._deployments.subscribe(lambda key, _old, _new: self._queue.add(key))
        self._sets.subscribe(self._set_changed)
        self._pods.subscribe(self._pod_changed)
        await self._queue.run()

    def _set_changed(self, _key: str, old: Object | None, new: Object | None) -> None:
        for replica_set in (old, new):
            if replica_set is None:
                continue
            meta, owner = replica_set["metadata"], controller_of(replica_set)
            if owner is not None:
                if owner["kind"] == "Deployment":
                    self._queue.add(f"{meta['namespace']}/{owner['name']}")
            elif new is not None:
                for candidate in self._deployments.find("namespace", meta["namespace"]):
                    if label_selector_matches(candidate["spec"].get("selector"), meta.get("labels")):
                        self._queue.add(key_of(candidate))

    def _pod_changed(self, _key: str, old: Object | None, new: Object | None) -> None:
        """Recreate waits for the last old pod to be gone."""
        if old is None or (new is not None and not is_finished(new)):
            return
        owner = controller_of(old)
        replica_set = self._sets.get(old["metadata"]["namespace"], owner["name"]) if owner else None
        manager = controller_of(replica_set) if replica_set else None
        deployment = self._deployments.get(old["metadata"]["namespace"], manager["name"]) if manager else None
        if deployment is not None and not is_rolling(deployment):
            self._queue.add(key_of(deployment))

    async def _sync(self, key: str) -> None:
        deployment = self._deployments.objects.get(key)
        if deployment is None:
            return
        if is_empty(deployment["spec"].get("selector")):
            text = "This deployment is selecting all pods. A non-empty selector is required."
            self._events.event(reference(DEPLOYMENTS, deployment), "Warning", "SelectingAll", text)
            return
        namespace, uid = split(key)[0], deployment["metadata"]["uid"]
        candidates = [*self._sets.find("controller", uid), *self._sets.find("controller", f"orphans/{namespace}")]
        mine = await claimed(self._context, DEPLOYMENTS, deployment, REPLICA_SETS, candidates)
        mine = [each for each in mine if not self._sets.is_doomed(each)]
        step = next_step(deployment, mine, lambda: self._old_pods_run(deployment, mine))
        created = await self._carry_out(deployment, step)
        await self._tell(key, step, created)

    def _old_pods_run(self, deployment: Object, mine: list[Object]) -> bool:
        _, old = split_new_and_old(deployment, mine)
        pods = (pod for each in old for pod in self._pods.find("controller", each["metadata"]["uid"]))
        return any(not is_finished(pod) for pod in pods)

    async def _carry_out(self, deployment: Object, step: Step) -> bool:
        """Whether a ReplicaSet was made."""
        about, created = reference(DEPLOYMENTS, deployment), False
        if step.create is not None:
            created = await self._create(deployment, step.create)
        for before, after in step.replace:
            written = await self._context.cluster.update(REPLICA_SETS, whole(REPLICA_SETS, after))
            self._sets.remember(written)
            old, new = replicas(before), replicas(after)
            if old != new:
                way, name = "up" if new > old else "down", after["metadata"]["name"]
                text = f"Scaled {way} replica set {name} from {old} to {new}"
                self._events.event(about, "Normal", "ScalingReplicaSet", text)
        for each in step.delete:
            meta = each["metadata"]
            try:
                await self._context.cluster.delete(REPLICA_SETS, meta["name"], meta["namespace"], uid=meta["uid"])
            except NotFound:
                continue
            self._sets.forget(each)
        return created

    async def _create(self, deployment: Object, replica_set: Object) -> bool:
        meta, about = replica_set["metadata"], reference(DEPLOYMENTS, deployment)
        try:
            made = await self._context.cluster.create(REPLICA_SETS, replica_set, meta["namespace"])
        except AlreadyExists:
            await self._resolve_collision(deployment, replica_set)
            return False
        except ApiError as error:
            await self._tell_failure(deployment, f'Failed to create new replica set "{meta["name"]}": {error}')
            raise
        self._sets.remember(made)
        if count := replicas(made):
            text = f"Scaled up replica set {meta['name']} from 0 to {count}"
            self._events.event(about, "Normal", "ScalingReplicaSet", text)
        return True

    async def _resolve_collision(self, deployment: Object, wanted: Object) -> None:
        """The name is taken: by our own ReplicaSet that the copy does not show yet, or by a stranger's."""
        meta = wanted["metadata"]
        found: Object = await self._context.cluster.get(REPLICA_SETS, meta["name"], meta["namespace"], as_=dict)
        same = comparable(found["spec"]["template"]) == comparable(wanted["spec"]["template"])
        if controller_uid(found) == deployment["metadata"]["uid"] and same:
            self._sets.remember(found)
            return
        old = deployment.get("status") or {}
        await self._write_status(deployment, {**old, "collisionCount": (old.get("collisionCount") or 0) + 1})

    async def _tell_failure(self, deployment: Object, text: str) -> None:
        self._events.event(reference(DEPLOYMENTS, deployment), "Warning", "ReplicaSetCreateError", text)
        if deadline(deployment) is None:
            return
        old = deployment.get("status") or {}
        conditions = list(old.get("conditions") or ())
        put(conditions, "Progressing", "False", "ReplicaSetCreateError", text, self._context.clock())
        if conditions != old.get("conditions"):
            await self._write_status(deployment, {**old, "conditions": conditions})

    async def _tell(self, key: str, step: Step, created: bool) -> None:
        deployment = self._deployments.objects.get(key)
        if deployment is None:
            return
        mine = self._sets.find("controller", deployment["metadata"]["uid"])
        new, old = split_new_and_old(deployment, mine)
        if new is not None and revision(new) and revision(new) != revision(deployment):
            deployment = await self._write_revision(deployment, revision(new))
        now = self._context.clock()
        told = status(deployment, new, old, now, rolling_out=step.rolling_out, created=created)
        if told != deployment.get("status"):
            await self._write_status(deployment, told)
        if (wait := recheck_after(deployment, told, now)) is not None:
            self._queue.add_after(key, wait)

    async def _write_revision(self, deployment: Object, number: int) -> Object:
        meta = deployment["metadata"]
        patch = {"metadata": {"annotations": {REVISION: str(number)}}}
        written = await self._context.cluster.patch(DEPLOYMENTS, meta["name"], patch, meta["namespace"])
        self._deployments.remember(written)
        return written

    async def _write_status(self, deployment: Object, told: Object) -> None:
        body = {**whole(DEPLOYMENTS, deployment), "status": told}
        self._deployments.remember(await self._context.cluster.update(DEPLOYMENTS, body, subresource="status"))
