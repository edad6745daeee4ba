"""What a controller sees of one resource: the watched copy, plus its own writes that the watch has not told yet.

A controller that has just made a pod must not make another because its watch lags. Others count what they expect to
see; here every write's own answer is put into the copy at once (`remember`, `forget`). The watch overtakes it: a write
at resourceVersion r is known to the watch exactly when the reflector has reached r (KEP-5504: they can be compared).
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from weft.cluster.objects.resource import Resource
from weft.cluster.port import Cluster, Object
from weft.cluster.reflector import Reflector

OnChange = Callable[[str, Object | None, Object | None], None]
KeysOf = Callable[[Object], Iterable[str]]

_DOOMED_FOR = 300.0  # seconds for which a deletion that the watch does not confirm is believed


class Cache:
    """`objects` by `namespace/name`; never change what it holds. Callbacks get (key, before, after)."""

    def __init__(self, cluster: Cluster, resource: Resource) -> None:
        self.resource = resource
        self.objects: dict[str, Object] = {}
        self._reflector: Reflector[Object] = Reflector(cluster, resource, dict, self._told)
        self._callbacks: list[OnChange] = []
        self._indexes: dict[str, tuple[KeysOf, dict[str, dict[str, Object]]]] = {}
        self._ahead: dict[str, int] = {}
        self._doomed: dict[str, float] = {}
        self.add_index("namespace", _namespace)
        self.add_index("controller", _controller)

    @property
    def synced(self) -> asyncio.Event:
        return self._reflector.synced

    async def run(self) -> None:
        await self._reflector.run()

    def subscribe(self, on_change: OnChange) -> None:
        """Adds a callback; what is there already is told to it at once."""
        self._callbacks.append(on_change)
        for key, obj in list(self.objects.items()):
            on_change(key, None, obj)

    def add_index(self, name: str, keys_of: KeysOf) -> None:
        """Objects can then be found by any of the values that `keys_of` gives. Adding it twice changes nothing."""
        if name in self._indexes:
            return
        self._indexes[name] = (keys_of, {})
        for key, obj in self.objects.items():
            self._enter(name, key, obj)

    def find(self, index: str, value: str) -> list[Object]:
        return list(self._indexes[index][1].get(value, {}).values())

    def get(self, namespace: str, name: str) -> Object | None:
        return self.objects.get(f"{namespace}/{name}" if namespace else name)

    def remember(self, obj: Object) -> None:
        """Takes the answer to a create, update or patch into the copy, unless the watch knows better already."""
        version, key = _version(obj), key_of(obj)
        known = self.objects.get(key)
        if version <= int(self._reflector.resource_version or 0) or (known and _version(known) >= version):
            return
        self._ahead[key] = version
        self._set(key, obj)

    def remember_quietly(self, obj: Object, unless: OnChange) -> None:
        """As `remember`, but without telling `unless`: to its owner the write is no news."""
        kept = self._callbacks
        self._callbacks = [callback for callback in kept if callback != unless]
        try:
            self.remember(obj)
        finally:
            self._callbacks = kept

    def forget(self, obj: Object) -> None:
        """Notes that the object's deletion was asked for and granted."""
        self._doomed[obj["metadata"]["uid"]] = asyncio.get_running_loop().time() + _DOOMED_FOR

    def is_doomed(self, obj: Object) -> bool:
        """Whether the object is going away, or will be as soon as the watch tells what we did."""
        meta = obj["metadata"]
        return bool(meta.get("deletionTimestamp")) or meta.get("uid") in self._doomed

    def settle(self) -> None:
        """Drops what the watch has passed without ever telling: made by us and gone again between two lists."""
        reached = int(self._reflector.resource_version or 0)
        for key, version in list(self._ahead.items()):
            if version <= reached:
                del self._ahead[key]
                self._set(key, self._reflector.objects.get(key))
        now = asyncio.get_running_loop().time()
        for uid in [uid for uid, until in self._doomed.items() if until < now]:
            del self._doomed[uid]

    def _told(self, key: str, old: Object | None, new: Object | None) -> None:
        known, ahead = self.objects.get(key), self._ahead.get(key)
        if old is not None and (new is None or _uid(new) != _uid(old)):
            self._doomed.pop(_uid(old), None)
        if ahead is not None and known is not None:
            stale = _version(new) < ahead if new is not None else old is not None and _uid(old) != _uid(known)
            if stale:
                return
            del self._ahead[key]
            if new is not None and _version(new) == ahead:
                return  # our own write, told already
        self._set(key, new)

    def _set(self, key: str, new: Object | None) -> None:
        old = self.objects.get(key)
        if old is None and new is None:
            return
        for name, (keys_of, table) in self._indexes.items():
            for value in keys_of(old) if old is not None else ():
                entries = table.get(value, {})
                entries.pop(key, None)
                if not entries:
                    table.pop(value, None)
            if new is not None:
                self._enter(name, key, new)
        if new is None:
            del self.objects[key]
        else:
            self.objects[key] = new
        for callback in self._callbacks:
            callback(key, old, new)

    def _enter(self, name: str, key: str, obj: Object) -> None:
        keys_of, table = self._indexes[name]
        for value in keys_of(obj):
            table.setdefault(value, {})[key] = obj


def key_of(obj: Object) -> str:
    """`namespace/name`, or the name of a cluster-scoped object."""
    meta = obj["metadata"]
    return f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else str(meta["name"])


def split(key: str) -> tuple[str, str]:
    """(namespace, name) of a key."""
    namespace, _, name = key.rpartition("/")
    return namespace, name


def _version(obj: Object) -> int:
    return int(obj["metadata"].get("resourceVersion") or 0)


def _uid(obj: Object) -> str:
    return str(obj["metadata"].get("uid", ""))


def _namespace(obj: Object) -> Iterable[str]:
    return (obj["metadata"].get("namespace", ""),)


def _controller(obj: Object) -> Iterable[str]:
    """The UID of the managing owner, or `orphans/NAMESPACE` where there is none."""
    meta: dict[str, Any] = obj["metadata"]
    for owner in meta.get("ownerReferences") or ():
        if owner.get("controller"):
            return (owner["uid"],)
    return (f"orphans/{meta.get('namespace', '')}",)
