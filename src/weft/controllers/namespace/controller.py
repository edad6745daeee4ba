"""Empties namespaces that are being deleted, whatever kinds they hold, and then lets them go."""

import asyncio
import logging

from weft.cluster.errors import ApiError, NotFound
from weft.cluster.objects.resource import NAMESPACES, Resource
from weft.cluster.port import Object
from weft.controllers.context import Context, whole
from weft.controllers.namespace.plan import FINALIZER, Remains, conditions
from weft.reconcile.queue import WorkQueue

_AT_ONCE = 16
_LOOK_AGAIN = 0.25
_LOOK_AGAIN_AT_MOST = 5.0

_log = logging.getLogger(__name__)


class NamespaceController:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._namespaces = context.cache(NAMESPACES)
        self._queue = WorkQueue(self._sync, name="namespace", workers=4)
        self._limit = asyncio.Semaphore(_AT_ONCE)
        self._looks: dict[str, int] = {}

    async def run(self) -> None:
        await self._context.synced(self._namespaces)
        self._namespaces.subscribe(self._changed)
        await self._queue.run()

    def _changed(self, key: str, old: Object | None, new: Object | None) -> None:
        if new is None:
            self._looks.pop(key, None)
        # A change of its status (our own) is no reason to look again.
        elif new["metadata"].get("deletionTimestamp") and (old is None or not _same_but_status(old, new)):
            self._queue.add(key)

    async def _sync(self, name: str) -> None:
        namespace = self._namespaces.objects.get(name)
        if namespace is None or not namespace["metadata"].get("deletionTimestamp"):
            return
        finalizers = (namespace.get("spec") or {}).get("finalizers") or []
        if FINALIZER not in finalizers:
            return
        remains = await self._empty(name)
        if not remains.is_empty():
            await self._tell(namespace, remains)
            looks = self._looks[name] = self._looks.get(name, 0) + 1
            self._queue.add_after(name, min(_LOOK_AGAIN * 1.5**looks, _LOOK_AGAIN_AT_MOST))
            return
        spec = {**namespace["spec"], "finalizers": [each for each in finalizers if each != FINALIZER]}
        body = {**whole(NAMESPACES, namespace), "spec": spec}
        try:
            await self._context.cluster.update(NAMESPACES, body, subresource="finalize")
        except NotFound:
            pass

    async def _empty(self, name: str) -> Remains:
        """Deletes everything once; what is still there afterwards is counted."""
        remains = Remains()
        resources = [each for each in await self._context.discover() if each.namespaced]
        await asyncio.gather(*(self._empty_of(resource, name, remains) for resource in resources))
        return remains

    async def _empty_of(self, resource: Resource, name: str, remains: Remains) -> None:
        try:
            found = await self._list(resource, name)
            if not found:
                return
            doomed = [each for each in found if not each["metadata"].get("deletionTimestamp")]
            results = await asyncio.gather(*(self._delete(resource, each) for each in doomed), return_exceptions=True)
            failed = [result for result in results if isinstance(result, BaseException)]
            for error in failed[:1]:
                remains.failures.append(f"{resource.plural}: {error}")
            if doomed:
                found = await self._list(resource, name)
            remains.count(resource, [each["metadata"] for each in found])
        except ApiError as error:
            if error.code in (404, 405):  # removed since it was discovered
                return
            remains.failures.append(f"{resource.plural}: {error}")

    async def _list(self, resource: Resource, name: str) -> tuple[Object, ...]:
        async with self._limit:
            return (await self._context.cluster.list(resource, name, as_=dict)).items

    async def _delete(self, resource: Resource, obj: Object) -> None:
        meta = obj["metadata"]
        async with self._limit:
            try:
                await self._context.cluster.delete(
                    resource, meta["name"], meta["namespace"], uid=meta["uid"], propagation="Background"
                )
            except NotFound:
                pass

    async def _tell(self, namespace: Object, remains: Remains) -> None:
        name = namespace["metadata"]["name"]
        status = namespace.get("status") or {}
        told = conditions(status.get("conditions") or (), remains, self._context.clock())
        if told == status.get("conditions"):
            return
        _log.info("namespace %s is not empty yet: %s", name, dict(remains.objects) or remains.failures)
        body = {**whole(NAMESPACES, namespace), "status": {**status, "phase": "Terminating", "conditions": told}}
        try:
            self._namespaces.remember(await self._context.cluster.update(NAMESPACES, body, subresource="status"))
        except NotFound:
            pass


def _same_but_status(old: Object, new: Object) -> bool:
    return bool(
        old.get("spec") == new.get("spec")
        and old["metadata"].get("deletionTimestamp") == new["metadata"].get("deletionTimestamp")
    )
