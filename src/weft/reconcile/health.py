"""The small HTTP server of every component: /healthz, /livez, /readyz and /metrics ("API health endpoints")."""

import ssl
from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.exposition import generate_latest

Check = Callable[[], str | None]
"""Returns None when all is well, or what is wrong in one line."""


class HealthServer:
    """Serves until closed. Further paths (the proxy's health-check ports, say) are given by `routes`."""

    def __init__(
        self,
        address: str,
        port: int,
        *,
        checks: dict[str, Check] | None = None,
        metrics: CollectorRegistry | None = REGISTRY,
        tls: ssl.SSLContext | None = None,
        routes: dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] | None = None,
    ) -> None:
        self._where = (address, port, tls)
        self._checks = checks or {}
        self._metrics = metrics
        self._routes = routes or {}
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Raises ValueError that names the port when it is in use."""
        app = web.Application()
        for path in ("/healthz", "/livez", "/readyz"):
            app.router.add_get(path, self._health)
        if self._metrics is not None:
            app.router.add_get("/metrics", self._expose)
        for path, handler in self._routes.items():
            app.router.add_get(path, handler)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        address, port, tls = self._where
        try:
            await web.TCPSite(self._runner, address, port, ssl_context=tls).start()
        except OSError as error:
            raise ValueError(f"health port {address}:{port}: {error.strerror} (is another one running?)") from None

    async def close(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    async def _health(self, request: web.Request) -> web.Response:
        results = {name: check() for name, check in self._checks.items()}
        failed = any(results.values())
        if not failed and "verbose" not in request.query:
            return web.Response(text="ok")
        lines = [f"[-]{name} failed: {why}" if why else f"[+]{name} ok" for name, why in results.items()]
        lines.append(f"{request.path[1:]} check {'failed' if failed else 'passed'}\n")
        return web.Response(status=500 if failed else 200, text="\n".join(lines))

    async def _expose(self, _request: web.Request) -> web.Response:
        assert self._metrics is not None
        return web.Response(
            body=generate_latest(self._metrics), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        )
