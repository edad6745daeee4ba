"""The Kubernetes API over HTTPS: one connection pool, JSON by msgspec."""

from collections.abc import AsyncIterator, Mapping, Sequence
from types import TracebackType
from typing import Any, TypeVar

import aiohttp
import msgspec

from weft.cluster.errors import ApiError, Expired, Unavailable, from_status
from weft.cluster.objects.resource import Resource
from weft.cluster.port import Event, Listing, Object, PatchType, Propagation
from weft.cluster.real.kubeconfig import KubeConfig

T = TypeVar("T")

_CONTENT_TYPE = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}
_MAX_LINE = 1 << 27
"""A watch event is at most etcd's 1.5 MiB and an error; this only bounds a broken peer."""


class _ListMeta(msgspec.Struct, rename="camel"):
    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class _List(msgspec.Struct):
    metadata: _ListMeta
    items: list[msgspec.Raw] | None = None


class _WatchLine(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _VersionMeta(msgspec.Struct, rename="camel"):
    resource_version: str = ""


class _Versioned(msgspec.Struct):
    metadata: _VersionMeta


class _Status(msgspec.Struct):
    message: str = ""
    reason: str = ""
    code: int = 0
    details: dict[str, Any] | None = None


_list_decoder = msgspec.json.Decoder(_List)
_line_decoder = msgspec.json.Decoder(_WatchLine)
_version_decoder = msgspec.json.Decoder(_Versioned)
_status_decoder = msgspec.json.Decoder(_Status)


class HttpCluster:
    """`cluster.port.Cluster` against a real server. Use as an async context manager, or call close()."""

    def __init__(self, config: KubeConfig, user_agent: str = "weft", *, timeout: float = 30) -> None:
        self._config = config
        self._user_agent = user_agent
        self._timeout = aiohttp.ClientTimeout(total=timeout, sock_connect=5)
        self._session: aiohttp.ClientSession | None = None
        self.skipped = 0
        """Objects that did not decode and were left out (foreign servers send surprises)."""

    async def __aenter__(self) -> "HttpCluster":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        if self._session:
            await self._session.close()

    def session(self) -> aiohttp.ClientSession:
        """The pool; made on first use, because it belongs to the running loop."""
        if self._session is None:
            connector = aiohttp.TCPConnector(ssl=self._config.tls or False, limit=0, keepalive_timeout=60)
            self._session = aiohttp.ClientSession(connector=connector, headers={"User-Agent": self._user_agent})
        return self._session

    def _headers(self, content_type: str = "") -> dict[str, str]:
        headers = {"Accept": "application/json"}
        if content_type:
            headers["Content-Type"] = content_type
        if bearer := self._config.bearer():
            headers["Authorization"] = f"Bearer {bearer}"
        return headers

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
    ) -> bytes:
        """One exchange: the reply's bytes, or the ApiError that its Status tells. Any path of the server."""
        data = msgspec.json.encode(body) if body is not None else None
        try:
            async with self.session().request(
                method,
                self._config.server + path,
                params=params,
                data=data,
                headers=self._headers(content_type if data is not None else ""),
                timeout=self._timeout,
            ) as response:
                reply = await response.read()
                if response.status >= 400:
                    raise _error(response.status, reply)
                return reply
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise _unreachable(self._config.server, error) from None

    async def get(self, resource: Resource, name: str, namespace: str = "", *, as_: type[T]) -> T:
        return msgspec.json.decode(await self.request("GET", resource.path(namespace, name)), type=as_)

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
        params = _params(
            labelSelector=label_selector,
            fieldSelector=field_selector,
            resourceVersion=resource_version,
            limit=str(limit or ""),
            **{"continue": continue_token},
        )
        reply = _list_decoder.decode(await self.request("GET", resource.path(namespace), params=params))
        decoder = msgspec.json.Decoder(as_)
        items = []
        for raw in reply.items or ():
            try:
                items.append(decoder.decode(raw))
            except msgspec.ValidationError:
                self.skipped += 1
        return Listing(tuple(items), reply.metadata.resource_version, reply.metadata.continue_)

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
        params = _params(
            watch="true",
            allowWatchBookmarks="true",
            resourceVersion=resource_version,
            labelSelector=label_selector,
            fieldSelector=field_selector,
            timeoutSeconds=str(int(timeout) or ""),
        )
        decoder = msgspec.json.Decoder(as_)
        # A watch may be silent for a minute (bookmarks); silence beyond that is a dead connection.
        limits = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=180)
        try:
            async with self.session().get(
                self._config.server + resource.path(namespace),
                params=params,
                headers=self._headers(),
                timeout=limits,
                read_bufsize=1 << 20,
            ) as response:
                if response.status >= 400:
                    raise _error(response.status, await response.read())
                async for line in _lines(response.content):
                    event = _line_decoder.decode(line)
                    if event.type == "ERROR":
                        status = _status_decoder.decode(event.object)
                        raise from_status(status.code, status.reason, status.message, status.details)
                    version = _version_decoder.decode(event.object).metadata.resource_version
                    if event.type == "BOOKMARK":
                        yield Event("BOOKMARK", None, version)
                        continue
                    try:
                        yield Event(event.type, decoder.decode(event.object), version)  # type: ignore[arg-type]
                    except msgspec.ValidationError:
                        self.skipped += 1
        except (TimeoutError, aiohttp.ClientError, OSError, msgspec.DecodeError) as error:
            raise _unreachable(self._config.server, error) from None

    async def create(
        self, resource: Resource, obj: Mapping[str, Any], namespace: str = "", *, name: str = "", subresource: str = ""
    ) -> Object:
        namespace = namespace or (obj.get("metadata") or {}).get("namespace", "")
        return _object(await self.request("POST", resource.path(namespace, name, subresource), body=obj))

    async def update(self, resource: Resource, obj: Mapping[str, Any], *, subresource: str = "") -> Object:
        meta = obj["metadata"]
        path = resource.path(meta.get("namespace", ""), meta["name"], subresource)
        return _object(await self.request("PUT", path, body=obj))

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
        params = _params(fieldManager=field_manager, force="true" if force else "")
        path = resource.path(namespace, name, subresource)
        reply = await self.request("PATCH", path, params=params, body=patch, content_type=_CONTENT_TYPE[type])
        return _object(reply)

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
        options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if uid:
            options["preconditions"] = {"uid": uid}
        if grace_period is not None:
            options["gracePeriodSeconds"] = grace_period
        if propagation:
            options["propagationPolicy"] = propagation
        await self.request("DELETE", resource.path(namespace, name), body=options)


def _params(**values: str) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def _object(reply: bytes) -> Object:
    value: Object = msgspec.json.decode(reply, type=dict[str, Any])
    return value


def _error(code: int, reply: bytes) -> ApiError:
    try:
        status = _status_decoder.decode(reply)
    except msgspec.DecodeError:
        return from_status(code, "", reply[:200].decode(errors="replace") or f"HTTP status {code}")
    if status.reason == "Expired" or code == 410:
        return Expired(code, status.reason, status.message, status.details)
    return from_status(code, status.reason, status.message or f"HTTP status {code}", status.details)


def _unreachable(server: str, error: BaseException) -> Unavailable:
    return Unavailable(0, "", f"{server}: {error or type(error).__name__}")


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Whole lines, however long, as soon as they are there."""
    rest = bytearray()
    async for chunk in content.iter_any():
        rest += chunk
        if b"\n" not in chunk:
            if len(rest) > _MAX_LINE:
                raise aiohttp.ClientPayloadError("a watch line has no end")
            continue
        *whole, last = bytes(rest).split(b"\n")
        rest = bytearray(last)
        for line in whole:
            if line:
                yield line
