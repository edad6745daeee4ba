"""Who owns whom, over all kinds: only metadata is kept. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from weft.cluster.objects.meta import OwnerReference, Struct
from weft.cluster.objects.resource import Resource

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"


class Meta(Struct, frozen=True):
    """ObjectMeta as far as ownership goes."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    deletion_timestamp: str | None = None
    finalizers: tuple[str, ...] | None = None
    owner_references: tuple[OwnerReference, ...] | None = None

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    @property
    def is_deleting(self) -> bool:
        return self.deletion_timestamp is not None

    @property
    def waits_for_dependents(self) -> bool:
        return self.is_deleting and FOREGROUND in (self.finalizers or ())

    @property
    def orphans_dependents(self) -> bool:
        return self.is_deleting and ORPHAN in (self.finalizers or ())


class Owned(Struct, frozen=True):
    """Any object, decoded down to its Meta."""

    metadata: Meta


@dataclass(slots=True)
class Vertex:
    resource: Resource
    meta: Meta
    dependents: set[str] = field(default_factory=set)


class Graph:
    """`put` and `remove` give the UIDs that must be looked at because of the change."""

    def __init__(self) -> None:
        self.vertices: dict[str, Vertex] = {}
        self._waiting: dict[str, set[str]] = {}
        """Owner's UID → dependents that were seen before it, or after it was gone."""

    def put(self, resource: Resource, meta: Meta) -> set[str]:
        uid = meta.uid
        old = self.vertices.get(uid)
        self.vertices[uid] = Vertex(resource, meta, old.dependents if old else self._waiting.pop(uid, set()))
        before = _owners(old.meta) if old else set()
        after = _owners(meta)
        for owner in before - after:
            self._dependents(owner).discard(uid)
        look = set()
        for owner in after - before:
            self._dependents(owner).add(uid)
            known = self.vertices.get(owner)
            if known is None or known.meta.is_deleting:
                look.add(uid)
        if meta.waits_for_dependents or meta.orphans_dependents:
            look.add(uid)
        # An owner that waits for this one may go on as soon as the reference does not block it any more.
        if old is not None and old.meta.owner_references != meta.owner_references:
            look |= {owner for owner in before | after if self._waits(owner)}
        return look

    def remove(self, uid: str) -> set[str]:
        vertex = self.vertices.pop(uid, None)
        if vertex is None:
            return set()
        look = set(vertex.dependents)
        if vertex.dependents:
            self._waiting[uid] = vertex.dependents
        for owner in _owners(vertex.meta):
            mine = self._dependents(owner)
            mine.discard(uid)
            if not mine:
                self._waiting.pop(owner, None)
            if self._waits(owner):
                look.add(owner)
        return look

    def is_held(self, uid: str) -> bool:
        """Whether every owner is known and stays: then there is nothing to ask the server."""
        vertex = self.vertices.get(uid)
        owners = _owners(vertex.meta) if vertex else set()
        return all(owner in self.vertices and not self._waits(owner) for owner in owners)

    def dependents(self, uid: str) -> list[Vertex]:
        vertex = self.vertices.get(uid)
        return [self.vertices[each] for each in vertex.dependents if each in self.vertices] if vertex else []

    def blocking(self, uid: str) -> list[Vertex]:
        """Dependents that must be gone before this owner may go."""
        return [each for each in self.dependents(uid) if _blocks(each.meta, uid)]

    def _waits(self, uid: str) -> bool:
        vertex = self.vertices.get(uid)
        return vertex is not None and vertex.meta.waits_for_dependents

    def _dependents(self, owner: str) -> set[str]:
        vertex = self.vertices.get(owner)
        return vertex.dependents if vertex else self._waiting.setdefault(owner, set())


def _owners(meta: Meta) -> set[str]:
    return {owner.uid for owner in meta.owner_references or ()}


def _blocks(meta: Meta, owner_uid: str) -> bool:
    return any(owner.uid == owner_uid and owner.block_owner_deletion for owner in meta.owner_references or ())


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done with an object, by the state of its owners."""

    drop_owners: frozenset[str] = frozenset()
    """References to owners that are gone, while others still hold the object."""
    delete: str = ""
    """Propagation policy by which it goes; "" where it stays."""


def judge(
    meta: Meta, alive: Iterable[str], gone: Iterable[str], waiting: Iterable[str], *, has_dependents: bool
) -> Verdict:
    """`waiting` are owners that are being deleted in the foreground: they wait for this object to go."""
    solid, dangling, held_up = frozenset(alive), frozenset(gone), frozenset(waiting)
    if not (dangling or held_up):
        return Verdict()
    if solid:
        return Verdict(drop_owners=dangling | held_up)
    if held_up and has_dependents:
        return Verdict(delete="Foreground")
    finalizers = meta.finalizers or ()
    if ORPHAN in finalizers:
        return Verdict(delete="Orphan")
    return Verdict(delete="Foreground" if FOREGROUND in finalizers else "Background")
