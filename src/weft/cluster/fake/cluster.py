"""An API server in memory, for tests: objects, resourceVersions, watches, selectors, merge patches.

It does not default, validate or control anything: it keeps what it is told, as the real one would after doing so.
"""

import asyncio
import copy
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from weft.cluster.errors import AlreadyExists, Conflict, NotFound
from weft.cluster.objects.resource import Resource
from weft.cluster.port import Event, EventType, Listing, Object, PatchType, Propagation

T = TypeVar("T")
_Record = tuple[EventType, Object, int]


class FakeCluster:
    """`cluster.port.Cluster` without a server. `calls` records every write as (verb, plural, subresource, object)."""

    def __init__(self, *objects: tuple[Resource, Object]) -> None:
        self._version = 1
        self._objects: dict[Resource, dict[tuple[str, str], Object]] = {}
        self._history: dict[Resource, list[_Record]] = {}
        self._changed = asyncio.Event()
        self.calls: list[tuple[str, str, str, Object]] = []
        for resource, obj in objects:
            self.put(resource, obj)

    def put(self, resource: Resource, obj: Object) -> Object:
        """Creates or replaces without any check, as if someone else had."""
        obj = copy.deepcopy(obj)
        meta = obj.setdefault("metadata", {})
        key = (meta.get("namespace", ""), meta["name"])
        old = self._objects.setdefault(resource, {}).get(key)
        obj.setdefault("apiVersion", resource.api_version)
        obj.setdefault("kind", resource.kind)
        meta.setdefault("uid", (old or {}).get("metadata", {}).get("uid") or f"uid-{self._version + 1}")
        meta.setdefault("creationTimestamp", datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
        self._store(resource, key, obj, "MODIFIED" if old else "ADDED")
        return copy.deepcopy(obj)

    def _store(self, resource: Resource, key: tuple[str, str], obj: Object, event: EventType) -> None:
        self._version += 1
        obj["metadata"]["resourceVersion"] = str(self._version)
        if event == "DELETED":
            del self._objects[resource][key]
        else:
            self._objects[resource][key] = obj
        self._history.setdefault(resource, []).append((event, copy.deepcopy(obj), self._version))
        self._changed.set()
        self._changed = asyncio.Event()

    def _find(self, resource: Resource, name: str, namespace: str) -> Object:
        obj = self._objects.get(resource, {}).get((namespace, name))
        if obj is None:
            raise NotFound(404, "NotFound", f'{resource.plural} "{name}" not found')
        return obj

    async def get(self, resource: Resource, name: str, namespace: str = "", *, as_: type[T]) -> T:
        return _as(self._find(resource, name, namespace), as_)

    async def list(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        as_: type[T],
        label_selector: str = "",
        field_selector: str = "",
        resource_version: str = "",
        limit: int = 0,
        continue_token: str = "",
    ) -> Listing[T]:
        found = [
            _as(obj, as_)
            for obj in self._objects.get(resource, {}).values()
            if _matches(obj, namespace, label_selector, field_selector)
        ]
        return Listing(tuple(found), str(self._version))

    async def watch(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        as_: type[T],
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
        timeout: float = 0,
    ) -> AsyncIterator[Event[T]]:
        seen = int(resource_version or self._version)
        while True:
            changed = self._changed
            for event, obj, version in list(self._history.get(resource, ())):
                if version > seen and _matches(obj, namespace, label_selector, field_selector):
                    seen = version
                    yield Event(event, _as(obj, as_), str(version))
            if changed is self._changed:
                await changed.wait()

    async def create(
        self, resource: Resource, obj: Mapping[str, Any], namespace: str = "", *, name: str = "", subresource: str = ""
    ) -> Object:
        new = copy.deepcopy(dict(obj))
        self.calls.append(("create", resource.plural, subresource, new))
        if subresource:
            return self._create_subresource(resource, new, namespace, name, subresource)
        meta = new.setdefault("metadata", {})
        if resource.namespaced:
            meta.setdefault("namespace", namespace)
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = f"{meta['generateName']}{self._version:05d}"
        if (meta.get("namespace", ""), meta["name"]) in self._objects.get(resource, {}):
            raise AlreadyExists(409, "AlreadyExists", f'{resource.plural} "{meta["name"]}" already exists')
        return self.put(resource, new)

    def _create_subresource(self, resource: Resource, new: Object, namespace: str, name: str, sub: str) -> Object:
        if sub == "binding":
            bound = copy.deepcopy(self._find(resource, name, namespace))
            bound.setdefault("spec", {})["nodeName"] = new["target"]["name"]
            return self.put(resource, bound)
        if sub == "eviction":
            self._store(resource, (namespace, name), copy.deepcopy(self._find(resource, name, namespace)), "DELETED")
        return new

    async def update(self, resource: Resource, obj: Mapping[str, Any], *, subresource: str = "") -> Object:
        new = copy.deepcopy(dict(obj))
        meta = new["metadata"]
        old = self._find(resource, meta["name"], meta.get("namespace", ""))
        if meta.get("resourceVersion") not in (None, "", old["metadata"]["resourceVersion"]):
            raise Conflict(409, "Conflict", f'{resource.plural} "{meta["name"]}": the object has been modified')
        self.calls.append(("update", resource.plural, subresource, new))
        if subresource == "status":
            new = {**copy.deepcopy(old), "status": new.get("status")}
        elif "status" in old:
            new["status"] = copy.deepcopy(old["status"])
        return self.put(resource, new)

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Mapping[str, Any] | Sequence[Any],
        namespace: str = "",
        *,
        type: PatchType = "merge",
        subresource: str = "",
        field_manager: str = "",
        force: bool = False,
    ) -> Object:
        assert type in ("merge", "strategic") and isinstance(patch, Mapping), "the fake knows merge patches only"
        self.calls.append(("patch", resource.plural, subresource, dict(patch)))
        keys = _MERGE_KEYS if type == "strategic" else {}
        return self.put(resource, _merge(copy.deepcopy(self._find(resource, name, namespace)), patch, keys))

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str = "",
        *,
        uid: str = "",
        grace_period: int | None = None,
        propagation: Propagation | None = None,
    ) -> None:
        obj = copy.deepcopy(self._find(resource, name, namespace))
        if uid and uid != obj["metadata"]["uid"]:
            raise Conflict(409, "Conflict", f'{resource.plural} "{name}": the UID in the precondition does not match')
        self.calls.append(("delete", resource.plural, "", obj))
        self._store(resource, (namespace, name), obj, "DELETED")

    async def close(self) -> None:
        pass


def _as(obj: Object, as_: type[T]) -> T:
    return msgspec.json.decode(msgspec.json.encode(obj), type=as_)


def _matches(obj: Object, namespace: str, label_selector: str, field_selector: str) -> bool:
    meta = obj["metadata"]
    if namespace and meta.get("namespace") != namespace:
        return False
    labels = meta.get("labels") or {}
    for term in filter(None, label_selector.split(",")):
        name, _, value = term.partition("=")
        if term.startswith("!"):
            if term[1:] in labels:
                return False
        elif name.endswith("!"):
            if labels.get(name[:-1]) == value:
                return False
        elif name not in labels or ("=" in term and labels[name] != value.lstrip("=")):
            return False
    for term in filter(None, field_selector.split(",")):
        name, _, value = term.partition("=")
        found: Any = obj
        for part in name.removesuffix("!").split("."):
            found = (found or {}).get(part)
        if ((found or "") == value.lstrip("=")) == name.endswith("!"):
            return False
    return True


_MERGE_KEYS = {"conditions": "type", "podIPs": "ip", "hostIPs": "ip"}
"""Lists of status that a strategic merge patch merges; all others it replaces."""


def _merge(target: Any, patch: Any, keys: Mapping[str, str]) -> Any:
    """RFC 7386; and for the lists in `keys`, entry by entry."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif name in keys and isinstance(value, list):
            result[name] = _merge_list(result.get(name) or [], value, keys[name], keys)
        else:
            result[name] = _merge(result.get(name), value, keys)
    return result


def _merge_list(target: list[Any], patch: list[Any], key: str, keys: Mapping[str, str]) -> list[Any]:
    found = {entry[key]: entry for entry in target}
    for entry in patch:
        if entry.get("$patch") == "delete":
            found.pop(entry[key], None)
        else:
            found[entry[key]] = _merge(found.get(entry[key]), entry, keys)
    return list(found.values())
