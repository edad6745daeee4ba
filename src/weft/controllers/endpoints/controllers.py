"""The three loops over Services: EndpointSlices, Endpoints, and mirrored EndpointSlices."""

from weft.cluster.errors import AlreadyExists, ApiError, NotFound
from weft.cluster.objects.resource import ENDPOINTS, SERVICES
from weft.cluster.port import Object
from weft.controllers.cache import split
from weft.controllers.context import Context, whole
from weft.controllers.endpoints import mirror
from weft.controllers.endpoints.following import Followed
from weft.controllers.endpoints.model import families, groups, is_headless, is_selected_by_pods
from weft.controllers.endpoints.slices import Parent
from weft.controllers.endpoints.subsets import MANAGED_BY, MANAGER, endpoints_of
from weft.controllers.endpoints.writing import SliceWriter
from weft.controllers.namespace.plan import is_terminating_error
from weft.controllers.owners import controller_reference
from weft.reconcile.queue import WorkQueue

_SLICE_MANAGER = "endpointslice-controller.k8s.io"
_SLICE_LIMIT = 100
_WORKERS = 16


class EndpointSliceController:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._followed = Followed(context)
        self._writer = SliceWriter(context, _SLICE_MANAGER)
        self._queue = WorkQueue(self._sync, name="endpointslice", workers=_WORKERS)

    async def run(self) -> None:
        await self._context.synced(self._writer.cache)
        await self._followed.follow(self._queue.add)
        self._writer.follow(self._queue.add)
        await self._queue.run()

    async def _sync(self, key: str) -> None:
        service = self._followed.services.objects.get(key)
        if service is None or not is_selected_by_pods(service):
            return
        meta, pods = service["metadata"], self._followed.pods_of(service)
        zones = self._followed.zones(pods)
        parent = Parent(
            meta["namespace"],
            meta["name"],
            _SLICE_MANAGER,
            controller_reference(SERVICES, service),
            meta.get("labels") or {},
            headless=is_headless(service),
        )
        wanted = {family: groups(service, pods, zones, family) for family in families(service)}
        await self._writer.write(parent, wanted, _SLICE_LIMIT, leaving=bool(meta.get("deletionTimestamp")))


class EndpointsController:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._followed = Followed(context)
        self._endpoints = context.cache(ENDPOINTS)
        self._queue = WorkQueue(self._sync, name="endpoints", workers=_WORKERS)

    async def run(self) -> None:
        await self._context.synced(self._endpoints)
        await self._followed.follow(self._queue.add)
        self._endpoints.subscribe(self._changed)
        await self._queue.run()

    def _changed(self, key: str, _old: Object | None, _new: Object | None) -> None:
        self._queue.add(key)

    async def _sync(self, key: str) -> None:
        service, old = self._followed.services.objects.get(key), self._endpoints.objects.get(key)
        if service is None:
            if old is not None and (old["metadata"].get("labels") or {}).get(MANAGED_BY) == MANAGER:
                await self._delete(old)
            return
        if not is_selected_by_pods(service):
            return
        made = endpoints_of(service, self._followed.pods_of(service), old)
        if old is not None and _same(made, old):
            return
        cluster = self._context.cluster
        try:
            if old is not None:
                written = await cluster.update(ENDPOINTS, whole(ENDPOINTS, made))
            else:
                written = await cluster.create(ENDPOINTS, whole(ENDPOINTS, made), split(key)[0])
        except AlreadyExists:
            return
        except ApiError as error:
            if old is None and is_terminating_error(error):
                return
            raise
        self._endpoints.remember_quietly(written, self._changed)

    async def _delete(self, endpoints: Object) -> None:
        meta = endpoints["metadata"]
        try:
            await self._context.cluster.delete(ENDPOINTS, meta["name"], meta["namespace"], uid=meta["uid"])
        except NotFound:
            pass


class EndpointSliceMirroringController:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._services = context.cache(SERVICES)
        self._endpoints = context.cache(ENDPOINTS)
        self._writer = SliceWriter(context, mirror.MANAGER)
        self._queue = WorkQueue(self._sync, name="endpointslicemirroring", workers=5)

    async def run(self) -> None:
        await self._context.synced(self._services, self._endpoints, self._writer.cache)
        for cache in (self._services, self._endpoints):
            cache.subscribe(lambda key, _old, _new: self._queue.add(key))
        self._writer.follow(self._queue.add)
        await self._queue.run()

    async def _sync(self, key: str) -> None:
        endpoints, service = self._endpoints.objects.get(key), self._services.objects.get(key)
        if endpoints is None or not mirror.is_mirrored(endpoints, service):
            await self._writer.delete(self._writer.slices_of(key))
            return
        leaving = bool(endpoints["metadata"].get("deletionTimestamp"))
        await self._writer.write(mirror.parent_of(endpoints), mirror.groups(endpoints), mirror.LIMIT, leaving=leaving)


def _same(made: Object, old: Object) -> bool:
    return (
        (made.get("subsets") or []) == (old.get("subsets") or [])
        and (made["metadata"].get("labels") or {}) == (old["metadata"].get("labels") or {})
        and (made["metadata"].get("annotations") or {}) == (old["metadata"].get("annotations") or {})
    )
