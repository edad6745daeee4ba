"""From what a request asks for to whoever serves it."""

from aiohttp import web

from weft.apiserver.auth import AccessControl
from weft.apiserver.auth.access import User
from weft.apiserver.http import lists, subresources, watches, writes
from weft.apiserver.http.info import RequestInfo
from weft.apiserver.http.writes import Write
from weft.apiserver.proxy.streaming import Streaming
from weft.apiserver.registry import failures
from weft.apiserver.registry.kind import Kind
from weft.apiserver.registry.registry import Registry

_STREAMED = ("exec", "attach", "portforward", "log", "proxy")
_LONG = frozenset({"watch", "exec", "attach", "portforward", "log", "proxy"})


def is_long_running(info: RequestInfo) -> bool:
    return info.verb == "watch" or info.subresource in _LONG


class Resources:
    """Serves `/api` and `/apis/GROUP` beyond discovery."""

    def __init__(
        self, registry: Registry, reviews: tuple[Kind, ...], access: AccessControl, streaming: Streaming
    ) -> None:
        self._registry = registry
        self._reviews = {(each.resource.group, each.resource.version, each.resource.plural): each for each in reviews}
        self._groups = {group for group, _, _ in self._reviews} | {kind.group for kind in registry.kinds}
        self._plurals = {kind.plural for kind in registry.kinds} | {plural for _, _, plural in self._reviews}
        self._access = access
        self._streaming = streaming

    def serves(self, plural: str) -> bool:
        return plural in self._plurals

    async def serve(self, info: RequestInfo, user: User, request: web.BaseRequest) -> web.StreamResponse:
        key = info.group, info.version, info.resource
        if review := self._reviews.get(key):
            return await self._review(review, info, user, request)
        kind = self._registry.kind(*key)
        if kind is None:
            raise failures.no_such_path() if info.group in self._groups else failures.PageNotFound()
        if kind.resource.namespaced and not info.namespace and info.named_by_path:
            raise failures.no_such_path()
        if info.subresource:
            return await self._subresource(kind, info, user, request)
        return await self._plain(kind, info, user, request)

    async def _plain(self, kind: Kind, info: RequestInfo, user: User, request: web.BaseRequest) -> web.StreamResponse:
        registry, verb = self._registry, info.verb
        if verb not in kind.verbs or (verb in ("create", "update") and verb == "create" and info.named_by_path):
            raise failures.method_not_allowed()
        if verb == "get":
            return await lists.get(registry, kind, info, request)
        if verb == "list":
            return await lists.list_(registry, kind, info, request)
        if verb == "watch":
            return await watches.watch(registry, kind, info, request)
        if kind.resource.namespaced and not info.namespace:
            if verb == "deletecollection":
                raise failures.method_not_allowed()
            if verb == "create":
                raise failures.method_not_allowed()
        if not info.named_by_path and verb in ("update", "patch"):
            raise failures.method_not_allowed()
        write = Write(registry, kind, info, user, request)
        return await _VERBS[verb](write)

    async def _subresource(
        self, kind: Kind, info: RequestInfo, user: User, request: web.BaseRequest
    ) -> web.StreamResponse:
        name = info.subresource
        plural = (kind.resource.group, kind.resource.plural)
        if name in _STREAMED and any(each.name == name for each in kind.subresources):
            return await self._streaming.serve(info, user, request)
        write = Write(self._registry, kind, info, user, request)
        if name == "status" and kind.status:
            return await self._status(kind, info, write, request)
        if name == "scale" and kind.scale:
            return await subresources.scale(write)
        if plural == ("", "namespaces") and name == "finalize" and info.verb == "update":
            return await subresources.finalize(write)
        if plural == ("", "serviceaccounts") and name == "token" and info.verb == "create":
            return await subresources.token(write, self._access)
        if plural == ("", "pods"):
            if name == "binding" and info.verb == "create":
                return await subresources.binding(write)
            if name == "eviction" and info.verb == "create":
                return await subresources.eviction(write, self._access)
            if name == "ephemeralcontainers" and info.verb in ("get", "update", "patch"):
                return await subresources.ephemeral_containers(write)
        raise failures.no_such_path()

    async def _status(
        self, kind: Kind, info: RequestInfo, write: Write, request: web.BaseRequest
    ) -> web.StreamResponse:
        if info.verb == "get":
            return await lists.get(self._registry, kind, info, request)
        if info.verb == "update":
            return await writes.update(write)
        if info.verb == "patch":
            return await writes.patch(write)
        raise failures.method_not_allowed()

    async def _review(self, kind: Kind, info: RequestInfo, user: User, request: web.BaseRequest) -> web.StreamResponse:
        if info.verb != "create" or info.subresource or info.named_by_path:
            raise failures.method_not_allowed()
        write = Write(self._registry, kind, info, user, request)
        if kind.resource.plural == "bindings":
            return await subresources.binding(write)
        return await subresources.review(kind, write, self._access)


_VERBS = {
    "create": writes.create,
    "update": writes.update,
    "patch": writes.patch,
    "delete": writes.delete,
    "deletecollection": writes.delete_collection,
}
