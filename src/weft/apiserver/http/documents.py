"""Paths that are no resource's: health, version, discovery, OpenAPI, metrics, token keys."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest

from weft import KUBERNETES_VERSION
from weft.apiserver import discovery, openapi
from weft.apiserver.auth import AccessControl
from weft.apiserver.http import reply
from weft.apiserver.http.info import RequestInfo
from weft.apiserver.registry import failures
from weft.apiserver.registry.kind import Kind

_CHECKS = ("ping", "store")
_HEALTH = ("/healthz", "/livez", "/readyz")


class Documents:
    def __init__(
        self,
        kinds: Sequence[Kind],
        access: AccessControl,
        metrics: CollectorRegistry,
        address: str,
        ready: Callable[[], list[str]],
    ) -> None:
        """`address`: host:port that clients reach. `ready`: names of checks that fail."""
        self._kinds = kinds
        self._access = access
        self._metrics = metrics
        self._address = address
        self._ready = ready
        self._versions = _versions()
        self._openapi_documents: dict[str, bytes] = {}

    async def serve(self, info: RequestInfo, request: web.BaseRequest) -> web.StreamResponse:
        path = info.path.rstrip("/") or "/"
        if request.method not in ("GET", "HEAD"):
            raise failures.PageNotFound()
        if path.startswith(_HEALTH):
            return self._health(request)
        if path == "/version":
            return await reply.obj(request, 200, self._versions)
        if path in ("/api", "/apis"):
            return await self._roots(path, request)
        if path == "/metrics":
            return web.Response(body=generate_latest(self._metrics), content_type="text/plain")
        if path == "/.well-known/openid-configuration":
            return await reply.obj(request, 200, self._access.openid_configuration(self._jwks()))
        if path == "/openid/v1/jwks":
            return await reply.obj(request, 200, self._access.jwks())
        if path.startswith("/openapi/"):
            return await self._openapi(path, request)
        document = self._legacy(path)
        if document is None:
            raise failures.PageNotFound()
        return await reply.obj(request, 200, document)

    def _jwks(self) -> str:
        return f"https://{self._address}/openid/v1/jwks"

    def _health(self, request: web.BaseRequest) -> web.Response:
        name = request.path.strip("/")
        failing = self._ready()
        if not failing and "verbose" not in request.query:
            return web.Response(text="ok")
        lines = [f"[+]{check} ok" for check in _CHECKS if check not in failing]
        lines += [f"[-]{check} failed: reason withheld" for check in failing]
        lines.append(f"{name} check {'failed' if failing else 'passed'}\n")
        return web.Response(status=500 if failing else 200, text="\n".join(lines))

    async def _roots(self, path: str, request: web.BaseRequest) -> web.Response:
        version = discovery.accepted_version(request.headers.get("Accept", ""))
        if version is None:
            made = discovery.api_versions(self._address) if path == "/api" else discovery.api_group_list(self._kinds)
            return await reply.obj(request, 200, made)
        made = discovery.api_group_discovery_list(self._kinds, "/api" if path == "/api" else "/apis", version)
        response = await reply.obj(request, 200, made)
        response.headers["Content-Type"] = discovery.content_type(version)
        response.headers["Vary"] = "Accept"
        return response

    def _legacy(self, path: str) -> Any:
        parts = path.strip("/").split("/")
        if parts[0] == "api" and len(parts) == 2:
            return discovery.api_resource_list(self._kinds, "", parts[1])
        if parts[0] == "apis" and len(parts) == 2:
            return discovery.api_group(self._kinds, parts[1])
        if parts[0] == "apis" and len(parts) == 3:
            return discovery.api_resource_list(self._kinds, parts[1], parts[2])
        if path == "/":
            return {"paths": ["/api", "/api/v1", "/apis", *_HEALTH, "/metrics", "/openapi/v3", "/version"]}
        return None

    async def _openapi(self, path: str, request: web.BaseRequest) -> web.Response:
        if path == "/openapi/v2":
            return await reply.data(request, 200, openapi.document_v2())
        if path == "/openapi/v3":
            return await reply.data(request, 200, await asyncio.to_thread(openapi.index, self._kinds))
        name = path.removeprefix("/openapi/v3/")
        tag = await asyncio.to_thread(openapi.etag, self._kinds, name)
        if tag is None:
            raise failures.no_such_path()
        headers = {"ETag": tag, "Vary": "Accept"}
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers=headers)
        if name not in self._openapi_documents:
            made = await asyncio.to_thread(openapi.document, self._kinds, name)
            self._openapi_documents[name] = made or b""
        response = await reply.data(request, 200, self._openapi_documents[name])
        response.headers.update(headers)
        return response


def _versions() -> dict[str, str]:
    major, minor, _ = KUBERNETES_VERSION.removeprefix("v").split(".")
    return {
        "major": major,
        "minor": minor,
        "gitVersion": KUBERNETES_VERSION,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "cpython",
        "platform": "linux/amd64",
    }
