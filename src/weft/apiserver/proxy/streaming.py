"""Requests that end at a kubelet or in a pod: log, exec, attach, portforward and the proxy subresources."""

import logging
import random
import ssl
from dataclasses import replace
from pathlib import Path

import aiohttp
from aiohttp import web
from yarl import URL

from weft.apiserver.auth import AccessControl
from weft.apiserver.auth.access import Attributes, User
from weft.apiserver.http.info import RequestInfo
from weft.apiserver.proxy import target
from weft.apiserver.proxy.forward import forward, headers_for_backend
from weft.apiserver.proxy.splice import splice
from weft.apiserver.proxy.target import Target
from weft.apiserver.registry import failures
from weft.apiserver.registry.admission import Reader
from weft.cluster.errors import ApiError, from_status

log = logging.getLogger(__name__)

_REASONS = {400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 500: "InternalError"}
_ERROR_LIMIT = 2048


def kubelet_tls(certificate: Path | None, key: Path | None, authority: Path | None) -> ssl.SSLContext:
    """How the server speaks to kubelets; without an authority their certificates are taken as they are."""
    context = ssl.create_default_context(cafile=authority)
    if authority is None:
        context = _unverified()
    if certificate and key:
        context.load_cert_chain(certificate, key)
    return context


def _unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Streaming:
    """Make it inside the running loop; close it."""

    def __init__(self, reader: Reader, access: AccessControl, tls: ssl.SSLContext) -> None:
        self._reader = reader
        self._access = access
        self._tls = tls
        self._random = random.Random()
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False)

    async def close(self) -> None:
        await self._session.close()

    async def serve(self, info: RequestInfo, user: User, request: web.BaseRequest) -> web.StreamResponse:
        if info.subresource == "log":
            return await self._log(info, request)
        if info.subresource == "proxy":
            return await self._proxy(info, request)
        if info.verb not in ("get", "create"):
            raise failures.no_such_path()
        if info.verb == "get":
            # A browser opens WebSockets by GET: to run something still needs the permission to create.
            self._access.demand(user, _creating(info))
        query = list(request.query.items())
        where = target.pod_stream(self._reader, info.namespace, info.name, info.subresource, query)
        if not _upgrades(request):
            raise failures.bad_request("Upgrade request required")
        return await self._splice(where, request)

    async def _splice(self, where: Target, request: web.BaseRequest) -> web.StreamResponse:
        client = request.transport
        if client is None:
            raise ConnectionResetError
        headers = headers_for_backend(request.raw_headers, upgrade=True)
        try:
            await splice(client, request.method, where, headers, self._context(where))
        except (OSError, TimeoutError) as error:
            raise _unreachable(where, error) from None
        raise ConnectionResetError  # the connection has been used up

    async def _log(self, info: RequestInfo, request: web.BaseRequest) -> web.StreamResponse:
        if info.verb != "get":
            raise failures.no_such_path()
        where = target.pod_log(self._reader, info.namespace, info.name, list(request.query.items()))
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        if where is None:
            await response.prepare(request)
            await response.write_eof()
            return response
        tls = _unverified() if request.query.get("insecureSkipTLSVerifyBackend") == "true" else self._tls
        try:
            async with self._session.get(URL(where.url, encoded=True), ssl=tls) as answer:
                if answer.status != 200:
                    text = (await answer.content.read(_ERROR_LIMIT)).decode(errors="replace").strip()
                    raise _kubelet_error(answer.status, text)
                await response.prepare(request)
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
                await response.write_eof()
                return response
        except (aiohttp.ClientError, TimeoutError) as error:
            if response.prepared:
                raise ConnectionResetError from None
            raise _unreachable(where, error) from None

    async def _proxy(self, info: RequestInfo, request: web.BaseRequest) -> web.StreamResponse:
        raw_path, mark, query = request.raw_path.partition("?")
        parts = raw_path.split("/")
        own, behind = parts[: info.proxied_from + 1], parts[info.proxied_from + 1 :]
        if not behind:
            return web.Response(status=301, headers={"Location": f"{raw_path}/{mark}{query}"})
        path = "/" + "/".join(behind) + mark + query
        where = self._proxied(info, path)
        if _upgrades(request):
            return await self._splice(where, request)
        try:
            return await forward(self._session, request, where, self._context(where), "/".join(own))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            if isinstance(error, ConnectionResetError):
                raise
            raise failures.unavailable(f"error trying to reach service: {_words(where, error)}") from None

    def _proxied(self, info: RequestInfo, path: str) -> Target:
        if info.resource == "nodes":
            return target.node_proxy(self._reader, info.name, path)
        if info.resource == "pods":
            return target.pod_proxy(self._reader, info.namespace, info.name, path)
        return target.service_proxy(self._reader, info.namespace, info.name, path, self._random)

    def _context(self, where: Target) -> ssl.SSLContext | None:
        if not where.tls:
            return None
        return self._tls if where.kubelet else _unverified()


def _upgrades(request: web.BaseRequest) -> bool:
    return "upgrade" in request.headers.get("Connection", "").lower() and bool(request.headers.get("Upgrade"))


def _creating(info: RequestInfo) -> Attributes:
    return replace(info.attributes(), verb="create")


def _kubelet_error(code: int, text: str) -> ApiError:
    """What a kubelet says in plain words, as a Status."""
    return from_status(code, _REASONS.get(code, ""), text or f"the kubelet answered {code}")


def _unreachable(where: Target, error: BaseException) -> ApiError:
    log.warning("cannot reach a backend address=%s error=%r", where.authority, str(error) or type(error).__name__)
    return from_status(500, "", f"error dialing backend: {_words(where, error)}")


def _words(where: Target, error: BaseException) -> str:
    """As Go's dialer words it."""
    cause = getattr(error, "os_error", None) or error
    if isinstance(error, TimeoutError):
        return f"dial tcp {where.authority}: i/o timeout"
    if isinstance(cause, ConnectionRefusedError):
        return f"dial tcp {where.authority}: connect: connection refused"
    if isinstance(cause, ssl.SSLError):
        return f"tls: {cause.reason or cause}"
    if isinstance(cause, OSError) and cause.strerror:
        return f"dial tcp {where.authority}: connect: {cause.strerror.lower()}"
    return str(error) or type(error).__name__
