"""ConfigMaps' and Secrets' data, read from the API server when a pod starts and when its volumes are refreshed."""

import asyncio
import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from weft.cluster.errors import NotFound
from weft.cluster.objects.meta import ObjectMeta, Struct
from weft.cluster.objects.resource import CONFIGMAPS, SECRETS, Resource
from weft.cluster.port import Cluster

_FRESH = 0.25
"""Seconds in which one answer serves all: a hundred pods of one namespace start with one read of its root CA."""


class _Data(Struct, frozen=True):
    metadata: ObjectMeta = ObjectMeta()
    data: dict[str, str] | None = None
    binary_data: dict[str, str] | None = None
    type: str = ""


class ObjectReader:
    """`data()` answers for many at once; errors other than "not found" are raised (ApiError)."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._running: dict[tuple[str, str, str], asyncio.Future[Mapping[str, bytes] | None]] = {}

    async def config_maps(self, namespace: str, names: Iterable[str]) -> dict[str, Mapping[str, bytes] | None]:
        return await self._all(CONFIGMAPS, namespace, names)

    async def secrets(self, namespace: str, names: Iterable[str]) -> dict[str, Mapping[str, bytes] | None]:
        return await self._all(SECRETS, namespace, names)

    async def _all(
        self, resource: Resource, namespace: str, names: Iterable[str]
    ) -> dict[str, Mapping[str, bytes] | None]:
        wanted = list(names)
        found = await asyncio.gather(*(self._one(resource, namespace, name) for name in wanted))
        return dict(zip(wanted, found, strict=True))

    async def _one(self, resource: Resource, namespace: str, name: str) -> Mapping[str, bytes] | None:
        key = (resource.plural, namespace, name)
        if key not in self._running:
            loop = asyncio.get_running_loop()
            task = loop.create_task(self._fetch(resource, namespace, name))
            self._running[key] = task
            task.add_done_callback(lambda _: loop.call_later(_FRESH, self._running.pop, key, None))
        return await asyncio.shield(self._running[key])

    async def _fetch(self, resource: Resource, namespace: str, name: str) -> Mapping[str, bytes] | None:
        try:
            found = await self._cluster.get(resource, name, namespace, as_=_Data)
        except NotFound:
            return None
        if resource is SECRETS:
            return {key: _decoded(value) for key, value in (found.data or {}).items()}
        plain = {key: value.encode() for key, value in (found.data or {}).items()}
        return plain | {key: _decoded(value) for key, value in (found.binary_data or {}).items()}


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except binascii.Error:
        return text.encode()


def registry_auth(config: bytes, server: str) -> dict[str, Any] | None:
    """CRI's AuthConfig for a registry out of a `.dockerconfigjson`; None where it has none."""
    try:
        entries = msgspec.json.decode(config).get("auths", {})
    except (msgspec.DecodeError, AttributeError):
        return None
    for name, entry in entries.items():
        host = name.removeprefix("https://").removeprefix("http://").split("/")[0]
        if host == server or (server == "docker.io" and host.endswith("docker.io")):
            fields = ("username", "password", "auth", "identitytoken", "registrytoken")
            known = {"identitytoken": "identity_token", "registrytoken": "registry_token"}
            return {known.get(f, f): entry[f] for f in fields if f in entry} | {"server_address": server}
    return None
