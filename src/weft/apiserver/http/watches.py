"""The verb watch: one JSON event per line, for as long as the client likes and the server allows."""

import asyncio
import random
import time
from collections.abc import Callable

from aiohttp import web

from weft.apiserver.http import forms, negotiate, options
from weft.apiserver.http.info import RequestInfo
from weft.apiserver.http.negotiate import Output
from weft.apiserver.http.options import ListOptions
from weft.apiserver.registry import failures
from weft.apiserver.registry.failures import status_object
from weft.apiserver.registry.kind import Kind
from weft.apiserver.registry.reading import storage_name
from weft.apiserver.registry.registry import Registry
from weft.apiserver.storage.cache import TooOld
from weft.apiserver.storage.record import Change, decode, encode
from weft.apiserver.storage.watchers import Watcher
from weft.cluster.errors import ApiError

LASTS = 1800
"""Seconds at least, where the client does not say; up to twice as long (kube-apiserver's --min-request-timeout)."""
BOOKMARK_EVERY = 60.0
_LAST_BOOKMARK = 2.0
"""Seconds before the end: the client goes on from there without a relist."""
_CHUNK = 1 << 20
_INITIAL_END = {"k8s.io/initial-events-end": "true"}

Encoder = Callable[[str, Change], bytes]
"""(event type, change) → framed line"""


async def watch(registry: Registry, kind: Kind, info: RequestInfo, request: web.BaseRequest) -> web.StreamResponse:
    output = negotiate.negotiate(request.headers.get("Accept", ""))
    namespace = info.namespace if kind.resource.namespaced else ""
    name = info.name if info.named_by_path else ""
    asked = options.parse(request.query, registry.stored(kind), namespace, name, watch=True)
    session = _Session(registry, kind, asked, output, request)
    return await session.serve()


class _Session:
    def __init__(
        self, registry: Registry, kind: Kind, asked: ListOptions, output: Output, request: web.BaseRequest
    ) -> None:
        self._registry = registry
        self._kind = kind
        self._asked = asked
        self._request = request
        self._cache = registry.store.cache(storage_name(kind))
        self._form = _Form(registry, kind, output, request.query.get("includeObject", ""))
        self._response = web.StreamResponse()
        self._response.headers["Content-Type"] = "application/json"
        self._response.headers["Cache-Control"] = "no-cache, private"

    async def serve(self) -> web.StreamResponse:
        asked = self._asked
        if asked.initial_events and asked.resource_version:
            store = self._registry.store
            if not await store.reach(asked.resource_version):
                raise failures.too_large_resource_version(asked.resource_version, store.published)
        self._response.enable_chunked_encoding()
        begun = asyncio.get_running_loop().time()
        try:
            watcher, initial = self._begin()
        except TooOld:
            await self._response.prepare(self._request)
            error = failures.too_old_resource_version(asked.resource_version or 0, self._cache.oldest)
            await self._response.write(_error_line(error))
            return self._response
        try:
            await self._response.prepare(self._request)
            await self._send_initial(initial)
            await self._follow(watcher, begun + (asked.timeout or LASTS * (1 + random.random())))
            await self._response.write_eof()
        except (ConnectionError, TimeoutError):
            pass
        finally:
            self._cache.watchers.discard(watcher)
        return self._response

    def _begin(self) -> tuple[Watcher, list[bytes]]:
        """In one step, so that nothing falls between the state and what follows it."""
        asked, published = self._asked, self._registry.store.published
        version = asked.resource_version
        with_state = asked.initial_events if asked.initial_events is not None else not version
        if not with_state:
            return self._cache.watch(asked.filter, published if version is None or version == 0 else version), []
        watcher = self._cache.watch(asked.filter, published)
        lines = [self._form.added(record.data) for record in self._cache.page(asked.filter).records]
        if asked.initial_events and asked.bookmarks:
            lines.append(self._form.bookmark(published, _INITIAL_END))
        return watcher, lines

    async def _send_initial(self, lines: list[bytes]) -> None:
        chunk: list[bytes] = []
        size = 0
        for line in lines:
            chunk.append(line)
            size += len(line)
            if size > _CHUNK:
                await self._response.write(b"".join(chunk))
                chunk, size = [], 0
        if chunk:
            await self._response.write(b"".join(chunk))

    async def _follow(self, watcher: Watcher, ends: float) -> None:
        loop = asyncio.get_running_loop()
        last = ends - _LAST_BOOKMARK
        due = min(loop.time() + BOOKMARK_EVERY, last) if self._asked.bookmarks else ends
        while not watcher.dropped:
            if watcher.pending:
                await self._response.write(self._drain(watcher))
                continue
            now = loop.time()
            if now >= ends:
                return
            if now >= due:
                version = max(self._registry.store.published, watcher.since)
                await self._response.write(self._form.bookmark(version))
                due = min(now + BOOKMARK_EVERY, last) if now < last else ends
            watcher.wake.clear()
            timer = loop.call_at(min(due, ends), watcher.wake.set)
            await watcher.wake.wait()
            timer.cancel()

    def _drain(self, watcher: Watcher) -> bytes:
        lines: list[bytes] = []
        size = 0
        while watcher.pending and size < _CHUNK:
            type, change = watcher.pending.popleft()
            line = self._form.line(type, change)
            lines.append(line)
            size += len(line)
        return lines[0] if len(lines) == 1 else b"".join(lines)


class _Form:
    """Frames events in the form that the client asked for; the common form is shared by all watchers."""

    def __init__(self, registry: Registry, kind: Kind, output: Output, include: str) -> None:
        self._registry = registry
        self._kind = kind
        self._output = output
        self._include = include
        self._shared = output.form == "object" and kind.stored_as is None
        self._columns_sent = False

    def line(self, type: str, change: Change) -> bytes:
        if self._shared:
            return change.line(type)
        return self._frame(type, change.data(type))

    def added(self, data: bytes) -> bytes:
        return self._frame("ADDED", data)

    def _frame(self, type: str, data: bytes) -> bytes:
        data = self._registry.shown(self._kind, data)
        if self._output.form == "table":
            data = self._row(data)
        elif self._output.form != "object":
            data = forms.partial(data)
        return b'{"type":"' + type.encode() + b'","object":' + data + b"}\n"

    def _row(self, data: bytes) -> bytes:
        made = decode(forms.one(self._kind, data, self._output, self._include, time.time()))
        if self._columns_sent:
            made["columnDefinitions"] = None
        self._columns_sent = True
        return encode(made)

    def bookmark(self, rv: int, annotations: dict[str, str] | None = None) -> bytes:
        meta: dict[str, object] = {"resourceVersion": str(rv), "creationTimestamp": None}
        if annotations:
            meta["annotations"] = annotations
        resource = self._kind.resource
        obj: dict[str, object] = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": meta}
        if self._output.form == "table":
            obj = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": str(rv)}}
            obj |= {"columnDefinitions": None, "rows": [{"cells": [], "object": {**obj, "metadata": meta}}]}
        elif self._output.form != "object":
            obj |= {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
        return encode({"type": "BOOKMARK", "object": obj}) + b"\n"


def _error_line(error: ApiError) -> bytes:
    return encode({"type": "ERROR", "object": status_object(error)}) + b"\n"
