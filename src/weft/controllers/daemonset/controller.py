"""Drives DaemonSets: keeps their history, makes, deletes and rolls their pods, tells the status."""

import asyncio

from weft.cluster.errors import AlreadyExists, ApiError, NotFound
from weft.cluster.events import reference
from weft.cluster.objects.resource import CONTROLLER_REVISIONS, DAEMON_SETS, NODES, PODS
from weft.cluster.objects.selector import is_empty, label_selector_matches
from weft.cluster.port import Object
from weft.controllers.cache import key_of
from weft.controllers.claiming import claimed
from weft.controllers.context import Context, whole
from weft.controllers.daemonset import history, plan
from weft.controllers.daemonset.placement import HASH_LABEL, new_pod
from weft.controllers.namespace.plan import is_terminating_error
from weft.controllers.owners import controller_of, controller_reference, controller_uid
from weft.controllers.replicaset.plan import slow_start
from weft.reconcile.queue import WorkQueue

_FAILED_AGAIN = 1.0
_FAILED_AGAIN_AT_MOST = 900.0


class DaemonSetController:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._sets = context.cache(DAEMON_SETS)
        self._revisions = context.cache(CONTROLLER_REVISIONS)
        self._pods = context.cache(PODS)
        self._nodes = context.cache(NODES)
        self._events = context.recorder("daemonset-controller")
        self._queue = WorkQueue(self._sync, name="daemonset", workers=2)
        self._failures: dict[tuple[str, str], tuple[int, float]] = {}

    async def run(self) -> None:
        await self._context.synced(self._sets, self._revisions, self._pods, self._nodes)
        self._sets.subscribe(lambda key, _old, _new: self._queue.add(key))
        self._revisions.subscribe(self._owned_changed)
        self._pods.subscribe(self._owned_changed)
        self._nodes.subscribe(self._node_changed)
        await self._queue.run()

    def _owned_changed(self, _key: str, old: Object | None, new: Object | None) -> None:
        for each in (old, new):
            if each is None:
                continue
            meta, owner = each["metadata"], controller_of(each)
            if owner is not None:
                if owner["kind"] == "DaemonSet":
                    self._queue.add(f"{meta['namespace']}/{owner['name']}")
            elif new is not None:
                for candidate in self._sets.find("namespace", meta["namespace"]):
                    if label_selector_matches(candidate["spec"].get("selector"), meta.get("labels")):
                        self._queue.add(key_of(candidate))

    def _node_changed(self, _name: str, old: Object | None, new: Object | None) -> None:
        if _placing(old) != _placing(new):
            for key in self._sets.objects:
                self._queue.add(key)

    async def _sync(self, key: str) -> None:
        daemon_set = self._sets.objects.get(key)
        if daemon_set is None or is_empty(daemon_set["spec"].get("selector")):
            return
        if daemon_set["metadata"].get("deletionTimestamp"):
            return
        revision, old = await self._current_revision(daemon_set)
        hashed = history.hash_of(revision)
        placed = plan.by_node(await self._own_pods(daemon_set), self._nodes.objects)
        changes = plan.manage(daemon_set, placed, self._nodes.objects, hashed)
        if not (changes.create or changes.delete) and plan.is_rolling(daemon_set):
            changes = plan.roll(daemon_set, placed, self._nodes.objects, hashed, self._context.clock())
        failure: ApiError | None = None
        try:
            await self._carry_out(daemon_set, key, changes, hashed)
        except ApiError as error:
            failure = error
        await self._clean_up(daemon_set, old)
        await self._tell(key, hashed)
        if failure is not None:
            raise failure

    async def _own_pods(self, daemon_set: Object) -> list[Object]:
        namespace, uid = daemon_set["metadata"]["namespace"], daemon_set["metadata"]["uid"]
        candidates = [*self._pods.find("controller", uid), *self._pods.find("controller", f"orphans/{namespace}")]
        mine = await claimed(self._context, DAEMON_SETS, daemon_set, PODS, candidates)
        return [self._as_known(pod) for pod in mine]

    def _as_known(self, pod: Object) -> Object:
        """A pod that we have deleted counts as leaving, even where the watch has not told so yet."""
        if pod["metadata"].get("deletionTimestamp") or not self._pods.is_doomed(pod):
            return pod
        return {
            **pod,
            "metadata": {**pod["metadata"], "deletionTimestamp": pod["metadata"].get("creationTimestamp", "-")},
        }

    async def _current_revision(self, daemon_set: Object) -> tuple[Object, list[Object]]:
        """The revision of the present template, made or renumbered where need be, and the older ones."""
        owned = self._revisions.find("controller", daemon_set["metadata"]["uid"])
        current, old = history.split_current_and_old(daemon_set, owned)
        number = history.next_number(old)
        cluster = self._context.cluster
        if current is None:
            wanted = history.new_revision(daemon_set, number)
            try:
                current = await cluster.create(CONTROLLER_REVISIONS, wanted, daemon_set["metadata"]["namespace"])
            except AlreadyExists:
                current = await self._resolve_collision(daemon_set, wanted)
            self._revisions.remember(current)
        elif current.get("revision", 0) < number:
            changed = {**whole(CONTROLLER_REVISIONS, current), "revision": number}
            current = await cluster.update(CONTROLLER_REVISIONS, changed)
            self._revisions.remember(current)
        return current, old

    async def _resolve_collision(self, daemon_set: Object, wanted: Object) -> Object:
        meta = wanted["metadata"]
        found: Object = await self._context.cluster.get(CONTROLLER_REVISIONS, meta["name"], meta["namespace"], as_=dict)
        if found.get("data") == wanted["data"] and controller_uid(found) == daemon_set["metadata"]["uid"]:
            return found
        status = daemon_set.get("status") or {}
        told = {**status, "collisionCount": (status.get("collisionCount") or 0) + 1}
        await self._write_status(daemon_set, told)
        raise ApiError(409, "AlreadyExists", f"revision {meta['name']} is another template's: the name changes")

    async def _carry_out(self, daemon_set: Object, key: str, changes: plan.Changes, revision: str) -> None:
        failed = {pod["metadata"]["uid"] for pod in changes.failed}
        for pod in changes.delete:
            if pod["metadata"]["uid"] in failed and not self._may_retry(daemon_set, key, pod):
                continue
            await self._delete(daemon_set, pod)
        nodes = iter(changes.create)
        for batch in slow_start(len(changes.create)):
            made = (self._create(daemon_set, revision, next(nodes)) for _ in range(batch))
            for result in await asyncio.gather(*made, return_exceptions=True):
                if isinstance(result, BaseException):
                    raise result

    def _may_retry(self, daemon_set: Object, key: str, pod: Object) -> bool:
        """A pod that keeps failing on a node is made again after 1, 2, 4 … seconds."""
        node, now = pod["spec"].get("nodeName", ""), self._context.clock()
        count, not_before = self._failures.get((key, node), (0, 0.0))
        if now < not_before:
            self._queue.add_after(key, not_before - now)
            return False
        self._failures[(key, node)] = (count + 1, now + min(_FAILED_AGAIN * 2**count, _FAILED_AGAIN_AT_MOST))
        name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        text = f"Found failed daemon pod {name} on node {node}, will try to kill it"
        self._events.event(reference(DAEMON_SETS, daemon_set), "Warning", "FailedDaemonPod", text)
        return True

    async def _create(self, daemon_set: Object, revision: str, node: str) -> None:
        about = reference(DAEMON_SETS, daemon_set)
        pod = new_pod(daemon_set, controller_reference(DAEMON_SETS, daemon_set), revision, node)
        try:
            made = await self._context.cluster.create(PODS, pod, pod["metadata"]["namespace"])
        except ApiError as error:
            if is_terminating_error(error):
                return
            self._events.event(about, "Warning", "FailedCreate", f"Error creating: {error}")
            raise
        self._pods.remember(made)
        self._events.event(about, "Normal", "SuccessfulCreate", f"Created pod: {made['metadata']['name']}")

    async def _delete(self, daemon_set: Object, pod: Object) -> None:
        meta = pod["metadata"]
        try:
            await self._context.cluster.delete(PODS, meta["name"], meta["namespace"], uid=meta["uid"])
        except NotFound:
            return
        self._pods.forget(pod)
        text = f"Deleted pod: {meta['name']}"
        self._events.event(reference(DAEMON_SETS, daemon_set), "Normal", "SuccessfulDelete", text)

    async def _clean_up(self, daemon_set: Object, old: list[Object]) -> None:
        pods = self._pods.find("controller", daemon_set["metadata"]["uid"])
        used = [(pod["metadata"].get("labels") or {}).get(HASH_LABEL, "") for pod in pods]
        for each in history.surplus(daemon_set, old, used):
            meta = each["metadata"]
            try:
                await self._context.cluster.delete(CONTROLLER_REVISIONS, meta["name"], meta["namespace"])
            except NotFound:
                pass

    async def _tell(self, key: str, revision: str) -> None:
        daemon_set = self._sets.objects.get(key)
        if daemon_set is None:
            return
        now = self._context.clock()
        pods = [self._as_known(pod) for pod in self._pods.find("controller", daemon_set["metadata"]["uid"])]
        placed = plan.by_node(pods, self._nodes.objects)
        told = plan.status(daemon_set, placed, self._nodes.objects, revision, now)
        if told != daemon_set.get("status"):
            await self._write_status(daemon_set, told)
        if (wait := plan.recheck_after(daemon_set, pods, now)) is not None:
            self._queue.add_after(key, wait + 0.05)

    async def _write_status(self, daemon_set: Object, told: Object) -> None:
        body = {**whole(DAEMON_SETS, daemon_set), "status": told}
        self._sets.remember(await self._context.cluster.update(DAEMON_SETS, body, subresource="status"))


def _placing(node: Object | None) -> object:
    """What of a node decides whether daemon pods belong there."""
    if node is None:
        return None
    return node["metadata"].get("labels"), (node.get("spec") or {}).get("taints")
