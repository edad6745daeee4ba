"""Which resources a server has, by asking it ("API discovery", the unaggregated documents)."""

import asyncio
from collections.abc import Iterable
from typing import Protocol

import msgspec

from weft.cluster.errors import ApiError
from weft.cluster.objects.resource import Resource
from weft.cluster.port import Object

_NEEDED = frozenset({"list", "watch", "delete"})


class Asks(Protocol):
    """The part of `HttpCluster` that reads any path of the server."""

    async def request(self, method: str, path: str) -> bytes: ...


async def discover(server: Asks) -> tuple[Resource, ...]:
    """Every resource that can be listed, watched and deleted, once each, in its group's preferred version.

    Raises ApiError where a group cannot be asked: who deletes by this list must not believe that nothing is left.
    """
    groups = await _document(server, "/apis")
    paths = ["/api/v1", *(f"/apis/{group['preferredVersion']['groupVersion']}" for group in groups["groups"])]
    documents = await asyncio.gather(*(_document(server, path) for path in paths))
    return tuple(resource for document in documents for resource in deletable(document))


def deletable(document: Object) -> Iterable[Resource]:
    """The resources of one APIResourceList that have the verbs that a collector needs."""
    group, _, version = document["groupVersion"].rpartition("/")
    for entry in document.get("resources") or ():
        if "/" not in entry["name"] and set(entry.get("verbs") or ()) >= _NEEDED:
            yield Resource(group, version, entry["name"], entry["kind"], bool(entry.get("namespaced")))


async def _document(server: Asks, path: str) -> Object:
    try:
        document: Object = msgspec.json.decode(await server.request("GET", path), type=dict)
    except msgspec.DecodeError as error:
        raise ApiError(0, "", f"{path}: {error}") from None
    return document
