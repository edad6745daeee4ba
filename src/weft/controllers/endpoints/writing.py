"""Writes EndpointSlices: what `slices.diff` decides, for the two controllers that own slices."""

from collections.abc import Callable, Mapping, Sequence

from weft.addresses import Family
from weft.cluster.errors import ApiError, NotFound
from weft.cluster.objects.resource import ENDPOINT_SLICES
from weft.cluster.port import Object
from weft.controllers.cache import Cache
from weft.controllers.context import Context, whole
from weft.controllers.endpoints.model import Group, PortKey
from weft.controllers.endpoints.slices import MANAGED_BY, SERVICE_NAME, Changes, Parent, diff
from weft.controllers.namespace.plan import is_terminating_error


class SliceWriter:
    def __init__(self, context: Context, manager: str) -> None:
        self._context = context
        self._manager = manager
        self.cache: Cache = context.cache(ENDPOINT_SLICES)
        self.cache.add_index("service", _service_entry)
        self._on_service: Callable[[str], None] = lambda _key: None

    def follow(self, on_service: Callable[[str], None]) -> None:
        """Calls back with the Service of every slice of ours that someone else has changed."""
        self._on_service = on_service
        self.cache.subscribe(self._changed)

    def _changed(self, _key: str, old: Object | None, new: Object | None) -> None:
        for each in (old, new):
            if each is not None and (service := self._service_of(each)):
                self._on_service(service)

    def slices_of(self, key: str) -> list[Object]:
        """The slices of the Service `namespace/name` that this manager keeps."""
        found = self.cache.find("service", f"{self._manager}:{key}")
        return [each for each in found if not self.cache.is_doomed(each)]

    def _service_of(self, slice_: Object) -> str | None:
        """`namespace/name` of the Service whose slice this is, if it is one of ours."""
        labels = slice_["metadata"].get("labels") or {}
        if labels.get(MANAGED_BY) != self._manager or not labels.get(SERVICE_NAME):
            return None
        return f"{slice_['metadata']['namespace']}/{labels[SERVICE_NAME]}"

    async def write(
        self, parent: Parent, wanted: Mapping[Family, Mapping[PortKey, Group]], limit: int, *, leaving: bool = False
    ) -> None:
        """Makes the parent's slices what is wanted; families that are not named lose theirs.

        Nothing is made for a parent that is `leaving`: the garbage collector deletes what is there.
        """
        existing = self.slices_of(f"{parent.namespace}/{parent.service}")
        for family, groups in wanted.items():
            mine = [each for each in existing if each["addressType"] == family]
            await self._apply(diff(parent, family, groups, mine, limit), leaving)
        await self.delete([each for each in existing if each["addressType"] not in wanted])

    async def _apply(self, changes: Changes, leaving: bool) -> None:
        cluster = self._context.cluster
        try:
            for each in changes.create if not leaving else ():
                made = await cluster.create(ENDPOINT_SLICES, each, each["metadata"]["namespace"])
                self.cache.remember_quietly(made, self._changed)
            for each in changes.update:
                made = await cluster.update(ENDPOINT_SLICES, whole(ENDPOINT_SLICES, each))
                self.cache.remember_quietly(made, self._changed)
        except ApiError as error:
            if not is_terminating_error(error) or error.code == 404:
                raise
            return
        await self.delete(changes.delete)

    async def delete(self, slices: Sequence[Object]) -> None:
        for each in slices:
            meta = each["metadata"]
            try:
                await self._context.cluster.delete(ENDPOINT_SLICES, meta["name"], meta["namespace"], uid=meta["uid"])
            except NotFound:
                continue
            self.cache.forget(each)


def _service_entry(slice_: Object) -> Sequence[str]:
    labels = slice_["metadata"].get("labels") or {}
    return (f"{labels.get(MANAGED_BY, '')}:{slice_['metadata']['namespace']}/{labels.get(SERVICE_NAME, '')}",)
