"""The verbs get and list."""

import time

from aiohttp import web

from weft.apiserver.http import forms, negotiate, options, reply
from weft.apiserver.http.info import RequestInfo
from weft.apiserver.http.options import ListOptions
from weft.apiserver.registry import failures
from weft.apiserver.registry.kind import Kind
from weft.apiserver.registry.reading import storage_name
from weft.apiserver.registry.registry import Registry
from weft.apiserver.storage import tokens
from weft.apiserver.storage.cache import Page, ResourceCache, TooOld
from weft.cluster.errors import Expired


class ContinueExpired(Expired):
    """410 that offers to go on with another token, at the price of consistency."""

    def __init__(self, token: str) -> None:
        super().__init__(410, "Expired", _EXPIRED)
        self.token = token


_EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)


async def get(registry: Registry, kind: Kind, info: RequestInfo, request: web.BaseRequest) -> web.Response:
    output = negotiate.negotiate(request.headers.get("Accept", ""))
    try:
        version = options.resource_version(request.query.get("resourceVersion", ""))
    except ValueError as error:
        raise failures.without_reason(str(error)) from None
    await _reach(registry, version or 0)
    record = registry.get(kind, info.namespace if kind.resource.namespaced else "", info.name)
    body = registry.shown(kind, record.data)
    if output is not negotiate.JSON:
        body = forms.one(kind, body, output, request.query.get("includeObject", ""), time.time())
    return await reply.data(request, 200, body, output)


async def list_(registry: Registry, kind: Kind, info: RequestInfo, request: web.BaseRequest) -> web.Response:
    output = negotiate.negotiate(request.headers.get("Accept", ""))
    namespace = info.namespace if kind.resource.namespaced else ""
    asked = options.parse(request.query, registry.stored(kind), namespace, "", watch=False)
    page, rv = await select(registry, kind, asked)
    meta = {"resourceVersion": str(rv)}
    if page.next_key:
        meta["continue"] = tokens.make(rv, page.next_key)
        if not asked.filter.selects:
            meta["remainingItemCount"] = page.remaining  # type: ignore[assignment]
    items = [registry.shown(kind, record.data) for record in page.records]
    body = forms.listing(kind, items, meta, output, request.query.get("includeObject", ""), time.time())
    return await reply.data(request, 200, body, output)


async def select(registry: Registry, kind: Kind, asked: ListOptions) -> tuple[Page, int]:
    """The records of one page and the revision at which they are true."""
    store = registry.store
    cache = store.cache(storage_name(kind))
    if asked.continue_token:
        return _continue(cache, store.published, asked)
    version = asked.resource_version or 0
    await _reach(registry, version)
    exact = asked.match == "Exact" or (not asked.match and asked.limit and version)
    if exact and version != store.published:
        try:
            return cache.page(asked.filter, version, limit=asked.limit), version
        except TooOld:
            raise failures.too_old_resource_version(version, cache.oldest) from None
    return cache.page(asked.filter, limit=asked.limit), store.published


def _continue(cache: ResourceCache, newest: int, asked: ListOptions) -> tuple[Page, int]:
    if asked.resource_version:
        raise failures.bad_request("specifying resource version is not allowed when using continue")
    try:
        rv, start = tokens.parse(asked.continue_token)
    except ValueError as error:
        raise failures.bad_request(f"invalid continue token: {error}") from None
    if rv == tokens.INCONSISTENT:
        return cache.page(asked.filter, None, start, asked.limit), newest
    if rv > newest:
        raise failures.bad_request("continue key is not valid: it is of another server")
    try:
        return cache.page(asked.filter, rv, start, asked.limit), rv
    except TooOld:
        raise ContinueExpired(tokens.make(tokens.INCONSISTENT, start)) from None


async def _reach(registry: Registry, version: int) -> None:
    store = registry.store
    if version > store.published and not await store.reach(version):
        raise failures.too_large_resource_version(version, store.published)
