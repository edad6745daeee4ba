"""The writing verbs, alike for every kind.

Each write is one step on the event loop, from reading the head to handing the next version to the store; only then is
the disk awaited. So a patch never meets another write halfway, and a conflict is only what the client itself asked to
be checked (resourceVersion, preconditions).
"""

import logging
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from weft.apiserver.auth.access import User
from weft.apiserver.registry import deletion, failures, metadata, namespaces, updating
from weft.apiserver.registry.admission import Admission, Context
from weft.apiserver.registry.deletion import DeleteOptions
from weft.apiserver.registry.kind import FieldError, Kind, Object
from weft.apiserver.registry.reading import HeadReader, storage_name
from weft.apiserver.storage.record import Record, decode, encode
from weft.apiserver.storage.store import Store, key_of
from weft.cluster.errors import from_status
from weft.cluster.objects.resource import NAMESPACES, Resource

log = logging.getLogger(__name__)

_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"
"""No vowels and no look-alikes, as apimachinery's `rand.String`."""
_NAME_TRIES = 8
_RETURN_DELETED = frozenset({"pods", "services", "serviceaccounts"})
"""Resources whose DELETE answers with the object instead of a Status (upstream's ReturnDeletedObject)."""

Change = Callable[[Object], Object]
"""From a fresh copy of the old version to the new one; may raise ApiError."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a write has come to."""

    code: int
    data: bytes
    """The object, or a Status, in JSON."""


class Registry:
    def __init__(
        self,
        store: Store,
        kinds: Sequence[Kind],
        admissions: Sequence[Admission],
        *,
        now: Callable[[], float] = time.time,
        rng: random.Random | None = None,
    ) -> None:
        self.store = store
        self.reader = HeadReader(store)
        self.kinds = {kind.resource: kind for kind in kinds}
        self._by_path = {(kind.resource.group, kind.resource.version, kind.resource.plural): kind for kind in kinds}
        self._admissions = admissions
        self._now = now
        self._random = rng or random.Random()
        for kind in kinds:
            if kind.stored_as is None:
                for record in store.head_all(storage_name(kind)):
                    self._applied(kind, None, record.object())

    def kind(self, group: str, version: str, plural: str) -> Kind | None:
        return self._by_path.get((group, version, plural))

    def stored(self, kind: Kind) -> Kind:
        """The kind whose form is on disk."""
        return self.kinds[kind.stored_as] if kind.stored_as else kind

    def shown(self, kind: Kind, data: bytes) -> bytes:
        """A stored object's bytes in the form of the kind that was asked for."""
        if kind.stored_as is None:
            return data
        return encode(kind.from_stored(decode(data)))

    def get(self, kind: Kind, namespace: str, name: str) -> Record:
        record = self.store.read(storage_name(kind), key_of(namespace, name))
        if record is None:
            raise failures.not_found(kind.resource, name)
        return record

    def context(self, user: User, dry_run: bool = False, subresource: str = "") -> Context:
        return Context(user, self.reader, dry_run, subresource)

    async def create(self, kind: Kind, namespace: str, obj: Object, context: Context) -> Result:
        """201. `obj` becomes the registry's."""
        base = self.stored(kind)
        obj = kind.to_stored(obj)
        meta = obj.setdefault("metadata", {})
        if meta.get("resourceVersion"):
            raise from_status(500, "", "resourceVersion should not be set on objects to be created")
        if base.resource.namespaced:
            meta["namespace"] = namespace
        else:
            meta.pop("namespace", None)
        generated = not meta.get("name") and bool(meta.get("generateName"))
        self._name(base, meta, generated)
        metadata.fill(obj, self._uid(), self._now())
        metadata.prune_empty(meta)
        if base.status and not base.status_on_create:
            obj.pop("status", None)
        if base.generation:
            meta["generation"] = 1
        else:
            meta.pop("generation", None)
        base.prepare_create(obj)
        base.default(obj)
        for admission in self._admissions:
            admission.admit_create(base, obj, context)
        self._refuse(base, obj, [*metadata.validate(base, obj), *base.validate_create(obj)])
        key = key_of(meta.get("namespace", ""), meta["name"])
        if self.store.head(storage_name(base), key) is not None:
            raise failures.already_exists(kind.resource, meta["name"])
        if context.dry_run:
            return Result(201, self.shown(kind, encode(obj)))
        record, durable = self.store.put(storage_name(base), key, obj)
        self._applied(base, None, obj)
        await durable
        return Result(201, self.shown(kind, record.data))

    def _uid(self) -> str:
        """Version 4, not from os.urandom: a system call for each would be a third of a write. It is no secret."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def _name(self, kind: Kind, meta: Object, generated: bool) -> None:
        if not generated:
            return
        for _ in range(_NAME_TRIES):
            suffix = "".join(self._random.choices(_SUFFIX, k=metadata.GENERATED_SUFFIX))
            meta["name"] = metadata.generated(meta["generateName"], suffix)
            if self.store.head(storage_name(kind), key_of(meta.get("namespace", ""), meta["name"])) is None:
                return
        raise failures.generate_name_conflict(kind.resource, meta["name"])

    async def update(self, kind: Kind, namespace: str, name: str, change: Change, context: Context) -> Result:
        """PUT and PATCH of an object or of a subresource that is a part of it (context.subresource).

        `change` sees and returns the form of `kind`.
        """
        base = self.stored(kind)
        key = key_of(namespace, name)
        record = self.store.head(storage_name(base), key)
        if record is None:
            raise failures.not_found(kind.resource, name)
        new = kind.to_stored(change(kind.from_stored(record.object())))
        old = record.object()
        updating.check(base, name, new, old)
        updating.merge(base, new, old, context.subresource)
        for admission in self._admissions:
            admission.admit_update(base, new, old, context)
        self._refuse(base, new, updating.errors(base, new, old, context.subresource))
        updating.finish(base, new, old, context.subresource)
        if context.dry_run:
            return Result(200, self.shown(kind, encode(new)))
        if deletion.ends_with_update(new, old) or (base.resource == NAMESPACES and namespaces.ended(new)):
            await self._remove(base, key, old)
            return Result(200, self.shown(kind, encode(new)))
        if new == old:
            await self.settled(record)
            return Result(200, self.shown(kind, record.data))
        written, durable = self.store.put(storage_name(base), key, new)
        self._applied(base, old, new)
        await durable
        return Result(200, self.shown(kind, written.data))

    async def settled(self, record: Record) -> None:
        """What a client is told is on disk, even if another client wrote it."""
        await self.store.reach(record.rv, patience=60)

    def _refuse(self, kind: Kind, obj: Object, errors: list[FieldError]) -> None:
        if errors:
            meta = obj["metadata"]
            raise failures.invalid(kind.resource, meta.get("name") or meta.get("generateName") or "", errors)

    async def delete(self, kind: Kind, namespace: str, name: str, options: DeleteOptions, context: Context) -> Result:
        base = self.stored(kind)
        key = key_of(namespace, name)
        record = self.store.head(storage_name(base), key)
        if record is None:
            raise failures.not_found(kind.resource, name)
        old = record.object()
        before = record.object()
        self._delete_preconditions(kind.resource, name, old, options)
        for admission in self._admissions:
            admission.admit_delete(base, old, context)
        outcome = deletion.decide(old, options, base.graceful, self._now())
        if base.resource == NAMESPACES and outcome.action != "nothing":
            outcome = namespaces.decide(outcome, before, self._now())
        if outcome.action == "remove":
            if not context.dry_run:
                await self._remove(base, key, before)
            return Result(200, self._deleted(kind, outcome.obj))
        data = record.data
        if context.dry_run:
            data = encode(outcome.obj)
        elif outcome.action == "mark":
            written, durable = self.store.put(storage_name(base), key, outcome.obj)
            self._applied(base, before, outcome.obj)
            await durable
            data = written.data
        return Result(202 if options.cascades_explicitly else 200, self.shown(kind, data))

    def expire(self, resource: Resource, key: str, rv: int) -> bool:
        """Removes an object that has not been written since revision `rv`, without anybody waiting for it."""
        kind = self.kinds[resource]
        record = self.store.head(storage_name(kind), key)
        if record is None or record.rv != rv or self.store.failed:
            return False
        self._remove(kind, key, record.object())
        return True

    def _delete_preconditions(self, resource: Resource, name: str, old: Object, options: DeleteOptions) -> None:
        meta = old["metadata"]
        if options.uid and options.uid != meta["uid"]:
            field, asked, found, end = "UID", options.uid, meta["uid"], "deleted and then recreated"
        elif options.resource_version and options.resource_version != meta["resourceVersion"]:
            field, end = "ResourceVersion", "modified"
            asked, found = options.resource_version, meta["resourceVersion"]
        else:
            return
        why = (
            f"the {field} in the precondition ({asked}) does not match the {field} in record ({found}). "
            f"The object might have been {end}"
        )
        # Upstream names the kind here where it names the resource everywhere else.
        raise failures.conflict(replace(resource, plural=resource.kind), name, why)

    def _deleted(self, kind: Kind, old: Object) -> bytes:
        if kind.resource.plural in _RETURN_DELETED:
            return encode(kind.from_stored(old))
        details = {"name": old["metadata"]["name"], "kind": kind.resource.plural, "uid": old["metadata"]["uid"]}
        if kind.resource.group:
            details["group"] = kind.resource.group
        return encode({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})

    def _remove(self, kind: Kind, key: str, old: Object) -> Awaitable[None]:
        _, durable = self.store.remove(storage_name(kind), key)
        self._applied(kind, old, None)
        return durable

    def _applied(self, kind: Kind, old: Object | None, new: Object | None) -> None:
        for admission in self._admissions:
            try:
                admission.applied(kind, old, new)
            except Exception:
                log.exception("admission failed to follow a change kind=%s", kind.resource.kind)
