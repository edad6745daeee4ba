"""The servers of the Services' health-check ports."""

import logging
from collections.abc import Callable, Collection, Mapping

from aiohttp import web

from weft.proxy.checks import Check
from weft.proxy.health import json_response
from weft.proxy.syncer import Complain

_log = logging.getLogger(__name__)


class CheckPorts:
    """`sync` opens and closes ports. `healthy` tells whether the proxy itself keeps up; `complain` makes an Event."""

    def __init__(self, healthy: Callable[[], bool], complain: Complain) -> None:
        self._healthy = healthy
        self._complain = complain
        self._servers: dict[int, web.AppRunner] = {}
        self._checks: dict[int, Check] = {}

    async def sync(self, checks: Mapping[int, Check], addresses: Collection[str]) -> None:
        """A port that cannot be opened is complained of, and tried again the next time."""
        self._checks = dict(checks)
        for port in self._servers.keys() - self._checks.keys():
            await self._servers.pop(port).cleanup()
        for port in self._checks.keys() - self._servers.keys():
            await self._open(self._checks[port], addresses)

    async def _open(self, check: Check, addresses: Collection[str]) -> None:
        app = web.Application()
        port = check.port

        async def answer(_request: web.Request) -> web.Response:
            current, healthy = self._checks[port], self._healthy()
            code = 200 if current.endpoints and healthy else 503
            response = json_response(code, current.body(healthy))
            response.headers["X-Load-Balancing-Endpoint-Weight"] = str(current.endpoints)
            return response

        app.router.add_get("/{path:.*}", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            for address in addresses:
                await web.TCPSite(runner, address, port).start()
        except OSError as error:
            await runner.cleanup()
            why = f"node failed to start healthcheck on port {port}: {error.strerror}"
            _log.warning("%s/%s: %s", check.namespace, check.name, why)
            self._complain(f"{check.namespace}/{check.name}", "FailedToStartServiceHealthcheck", why)
            return
        self._servers[port] = runner

    async def close(self) -> None:
        await self.sync({}, ())
