"""Follows every kind that the server has, and deletes what its last owner left behind."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable

import msgspec

from weft.cluster.errors import ApiError, NotFound
from weft.cluster.objects.meta import OwnerReference
from weft.cluster.objects.resource import Resource
from weft.cluster.port import Object
from weft.cluster.reflector import Reflector
from weft.controllers.context import Context
from weft.controllers.garbage.graph import FOREGROUND, ORPHAN, Graph, Meta, Owned, Vertex, judge
from weft.reconcile.queue import WorkQueue

_IGNORED = frozenset({"events"})
_DISCOVER_EVERY = 30.0
_REMEMBERED = 1000

_log = logging.getLogger(__name__)


class GarbageCollector:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._graph = Graph()
        self._followed: dict[Resource, asyncio.Event] = {}
        self._by_kind: dict[tuple[str, str], Resource] = {}
        self._absent: OrderedDict[str, None] = OrderedDict()
        self._ready = asyncio.Event()
        self._queue = WorkQueue(self._sync, name="garbage", workers=20)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_for_ever(group))
            # What is not known yet would look as if it were gone.
            await self._ready.wait()
            group.create_task(self._queue.run())

    async def _follow_for_ever(self, group: asyncio.TaskGroup) -> None:
        while True:
            try:
                resources = await self._context.discover()
            except ApiError as error:
                _log.warning("the server's kinds could not be discovered: %s", error)
                await asyncio.sleep(1)
                continue
            for resource in resources:
                self._by_kind[(resource.api_version, resource.kind)] = resource
                if resource.plural not in _IGNORED and resource not in self._followed:
                    self._follow(resource, group)
            await asyncio.gather(*(synced.wait() for synced in self._followed.values()))
            self._ready.set()
            await asyncio.sleep(_DISCOVER_EVERY)

    def _follow(self, resource: Resource, group: asyncio.TaskGroup) -> None:
        shared = self._context.caches.get(resource)
        if shared is None:
            reflector: Reflector[Owned] = Reflector(self._context.cluster, resource, Owned, self._observer(resource))
            group.create_task(reflector.run())
            self._followed[resource] = reflector.synced
            return
        # Others of this process follow it already: one watch serves all.
        observe = self._observer(resource)
        heard = self._followed[resource] = asyncio.Event()

        async def listen() -> None:
            await self._context.synced(shared)
            shared.subscribe(lambda key, old, new: observe(key, _trimmed(old), _trimmed(new)))
            heard.set()

        group.create_task(listen())

    def _observer(self, resource: Resource) -> Callable[[str, Owned | None, Owned | None], None]:
        def observe(_key: str, old: Owned | None, new: Owned | None) -> None:
            look: set[str] = set()
            if old is not None and (new is None or new.metadata.uid != old.metadata.uid):
                look |= self._graph.remove(old.metadata.uid)
            if new is not None and (old is None or old.metadata != new.metadata):
                look |= self._graph.put(resource, new.metadata)
            for uid in look:
                self._queue.add(uid)

        return observe

    async def _sync(self, uid: str) -> None:
        vertex = self._graph.vertices.get(uid)
        if vertex is None:
            return
        meta = vertex.meta
        if meta.orphans_dependents:
            await self._orphan(vertex)
        elif meta.waits_for_dependents:
            await self._wait_for_dependents(vertex)
        elif not meta.is_deleting and not self._graph.is_held(uid):
            await self._collect(vertex)

    async def _collect(self, vertex: Vertex) -> None:
        """Deletes the object if it has owners, and all of them are gone or wait for it to go."""
        try:
            live = await self._get(vertex)
        except NotFound:
            for uid in self._graph.remove(vertex.meta.uid):
                self._queue.add(uid)
            return
        meta = msgspec.convert(live, Owned).metadata
        if meta.is_deleting or not meta.owner_references:
            return
        alive, gone, waiting = await self._owners_of(meta)
        verdict = judge(meta, alive, gone, waiting, has_dependents=bool(self._graph.dependents(meta.uid)))
        if verdict.drop_owners:
            await self._drop_owners(vertex.resource, live, verdict.drop_owners)
        elif verdict.delete:
            _log.debug("deleting %s %s: its owners are gone", vertex.resource.kind, meta.key)
            try:
                await self._context.cluster.delete(
                    vertex.resource, meta.name, meta.namespace, uid=meta.uid,
                    propagation=verdict.delete,  # type: ignore[arg-type]
                )  # fmt: skip
            except NotFound:
                pass

    async def _owners_of(self, meta: Meta) -> tuple[set[str], set[str], set[str]]:
        """UIDs of the owners that exist, are gone, and wait in a foreground deletion."""
        alive: set[str] = set()
        gone: set[str] = set()
        waiting: set[str] = set()
        for owner in meta.owner_references or ():
            found = await self._owner(meta.namespace, owner)
            if found is None:
                gone.add(owner.uid)
            elif found.waits_for_dependents:
                waiting.add(owner.uid)
            else:
                alive.add(owner.uid)
        return alive, gone, waiting

    async def _owner(self, namespace: str, owner: OwnerReference) -> Meta | None:
        if owner.uid in self._absent:
            return None
        resource = self._by_kind.get((owner.api_version, owner.kind)) or self._other_version(owner)
        if resource is None:
            # Never delete by what we do not understand; its kind may be added later.
            raise ApiError(0, "", f"owner {owner.kind} {owner.name} is of an unknown kind of {owner.api_version}")
        where = namespace if resource.namespaced else ""
        try:
            found = await self._context.cluster.get(resource, owner.name, where, as_=Owned)
        except NotFound:
            found = None
        if found is not None and found.metadata.uid == owner.uid:
            return found.metadata
        self._absent[owner.uid] = None
        if len(self._absent) > _REMEMBERED:
            self._absent.popitem(last=False)
        return None

    def _other_version(self, owner: OwnerReference) -> Resource | None:
        """The same kind in the version that the server prefers."""
        group = owner.api_version.rpartition("/")[0]
        return next((r for r in self._by_kind.values() if r.group == group and r.kind == owner.kind), None)

    async def _wait_for_dependents(self, vertex: Vertex) -> None:
        blocking = self._graph.blocking(vertex.meta.uid)
        if not blocking:
            await self._drop_finalizer(vertex, FOREGROUND)
            return
        for each in blocking:
            if not each.meta.is_deleting:
                self._queue.add(each.meta.uid)

    async def _orphan(self, vertex: Vertex) -> None:
        uid = vertex.meta.uid
        for each in self._graph.dependents(uid):
            try:
                await self._drop_owners(each.resource, await self._get(each), frozenset({uid}))
            except NotFound:
                continue
        await self._drop_finalizer(vertex, ORPHAN)

    async def _get(self, vertex: Vertex) -> Object:
        """The object as it is now; NotFound also where another one has its name."""
        meta = vertex.meta
        live: Object = await self._context.cluster.get(vertex.resource, meta.name, meta.namespace, as_=dict)
        if live["metadata"].get("uid") != meta.uid:
            raise NotFound(404, "NotFound", f"{vertex.resource.kind} {meta.key} is another one by now")
        return live

    async def _drop_owners(self, resource: Resource, live: Object, uids: frozenset[str]) -> None:
        meta = live["metadata"]
        owners = meta.get("ownerReferences") or []
        kept = [owner for owner in owners if owner["uid"] not in uids]
        if len(kept) == len(owners):
            return
        patch = {"metadata": {"resourceVersion": meta["resourceVersion"], "ownerReferences": kept or None}}
        await self._context.cluster.patch(resource, meta["name"], patch, meta.get("namespace", ""))

    async def _drop_finalizer(self, vertex: Vertex, finalizer: str) -> None:
        try:
            live = await self._get(vertex)
            meta = live["metadata"]
            kept = [each for each in meta.get("finalizers") or () if each != finalizer]
            patch = {"metadata": {"resourceVersion": meta["resourceVersion"], "finalizers": kept or None}}
            await self._context.cluster.patch(vertex.resource, meta["name"], patch, meta.get("namespace", ""))
        except NotFound:
            return


def _trimmed(obj: Object | None) -> Owned | None:
    return msgspec.convert(obj, Owned) if obj is not None else None
