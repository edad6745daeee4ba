"""The HTTPS server itself: certificate, clients, routes."""

import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from weft.kubelet.agent import PodAgent
from weft.kubelet.pods.services import NodeServices
from weft.kubelet.server.access import Access, client_of
from weft.kubelet.server.logs import LogHandler
from weft.kubelet.server.streams import StreamHandlers
from weft.kubelet.server.summary import metrics, summary
from weft.kubelet.status.compose import render

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class KubeletServer:
    """Without --client-ca-file it serves plain HTTP to anyone: for tests and for a socket that others guard."""

    def __init__(self, node: NodeServices, agent: PodAgent) -> None:
        self._node = node
        self._agent = agent
        self._access = Access(node.cluster, node.config.node_name)
        self._runner: web.AppRunner | None = None
        self.port = node.config.port

    async def start(self) -> None:
        """Raises ValueError where the port or the certificate cannot be used."""
        config = self._node.config
        tls = self._tls()
        app = web.Application(middlewares=[self._guard] if tls else [])
        app.add_routes(self._routes())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, config.address, config.port, ssl_context=tls).start()
        except OSError as error:
            raise ValueError(
                f"--port {config.address}:{config.port}: {error.strerror} (is another one running?)"
            ) from None
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    def _tls(self) -> ssl.SSLContext | None:
        config = self._node.config
        if not config.tls_cert_file:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(config.tls_cert_file, config.tls_private_key_file)
            context.load_verify_locations(config.client_ca_file)
        except (OSError, ssl.SSLError) as error:
            raise ValueError(f"--tls-cert-file, --client-ca-file: cannot be used: {error}") from None
        context.verify_mode = ssl.CERT_REQUIRED
        # Clusters' own authorities do not always mark their key usage as RFC 5280 asks.
        context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
        return context

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        transport = request.transport
        client = client_of(transport.get_extra_info("peercert") if transport else None)
        if client is None:
            return web.Response(status=401, text="Unauthorized")
        if not await self._access.allowed(client, request.path, request.method):
            text = f"Forbidden (user={client.name}, verb={request.method.lower()}, resource=nodes, subresource=proxy)"
            return web.Response(status=403, text=text)
        return await handler(request)

    def _routes(self) -> list[web.RouteDef]:
        streams = StreamHandlers(self._node.runtime, self._agent)
        routes = [
            web.get("/containerLogs/{namespace}/{pod}/{container}", LogHandler(self._agent)),
            web.get("/healthz", self._healthz),
            web.get("/pods", self._pods),
            web.get("/runningpods", self._pods),
            web.get("/stats/summary", self._summary),
            web.get("/metrics", self._metrics),
            web.get("/metrics/resource", self._metrics),
            web.get("/metrics/cadvisor", self._metrics),
        ]
        for name, handler in (("exec", streams.exec), ("attach", streams.attach)):
            for path in ("{namespace}/{pod}/{container}", "{namespace}/{pod}/{uid}/{container}"):
                routes += [web.get(f"/{name}/{path}", handler), web.post(f"/{name}/{path}", handler)]
        for path in ("{namespace}/{pod}", "{namespace}/{pod}/{uid}"):
            route = f"/portForward/{path}"
            routes += [web.get(route, streams.port_forward), web.post(route, streams.port_forward)]
        return routes

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def _pods(self, _request: web.Request) -> web.Response:
        items: list[dict[str, Any]] = []
        for worker in self._agent.workers.values():
            pod = msgspec.to_builtins(worker.pod)
            items.append({**pod, "status": render(worker.told)})
        return _json({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items})

    async def _summary(self, _request: web.Request) -> web.Response:
        return _json(await summary(self._node, self._agent))

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(
            text=metrics(await summary(self._node, self._agent), self._agent), content_type="text/plain"
        )


def _json(value: Any) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")
