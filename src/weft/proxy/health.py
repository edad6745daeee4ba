"""/healthz and /livez of the proxy, with kube-proxy's meaning (KEP-3836).

Load balancers ask /healthz of every node: it fails when the proxy lags behind, and when the node is about to go away,
so that new connections are no longer sent here. /livez fails only for the first: a restart would mend nothing else.
"""

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
from aiohttp import web

from weft.cluster.objects.node import Node
from weft.proxy.metrics import Metrics

DOOMED_TAINT = "ToBeDeletedByClusterAutoscaler"


class Health:
    """Told of every change that waits and of every good sync. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float], timeout: float) -> None:
        self._clock = clock
        self._timeout = timeout
        self._queued: float | None = None
        self._updated = datetime.now(UTC)
        self.node: Node | None = None

    def queued(self) -> None:
        if self._queued is None:
            self._queued = self._clock()

    def updated(self) -> None:
        self._queued = None
        self._updated = datetime.now(UTC)

    @property
    def healthy(self) -> bool:
        return self._queued is None or self._clock() - self._queued < self._timeout

    @property
    def eligible(self) -> bool:
        """Whether the node may get traffic: it is there and not about to be deleted."""
        node = self.node
        if node is None or node.metadata.deletion_timestamp:
            return False
        return all(taint.key != DOOMED_TAINT for taint in node.spec.taints or ())

    def report(self, *, eligible: bool | None = None) -> dict[str, object]:
        now = datetime.now(UTC)
        fine = self.healthy and eligible is not False
        body: dict[str, object] = {"lastUpdated": now if fine else self._updated, "currentTime": now}
        if eligible is not None:
            body["nodeEligible"] = eligible
        status = {"lastUpdated": self._updated, "healthy": self.healthy}
        return {**body, "healthy": self.healthy, "status": {"IPv4": status, "IPv6": status}}


class HealthPort:
    """The server of both paths."""

    def __init__(self, health: Health, metrics: Metrics, address: str, port: int) -> None:
        self._health = health
        self._metrics = metrics
        self._where = (address, port)
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Raises ValueError that names the port when it is in use."""
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/livez", self._livez)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        address, port = self._where
        try:
            await web.TCPSite(self._runner, address, port, reuse_address=True).start()
        except OSError as error:
            raise ValueError(f"--healthz-bind-address: {address}:{port}: {error.strerror}") from None

    async def close(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    async def _healthz(self, _request: web.Request) -> web.Response:
        eligible = self._health.eligible
        code = 200 if self._health.healthy and eligible else 503
        self._metrics.healthz.labels(str(code)).inc()
        return json_response(code, self._health.report(eligible=eligible))

    async def _livez(self, _request: web.Request) -> web.Response:
        code = 200 if self._health.healthy else 503
        self._metrics.livez.labels(str(code)).inc()
        return json_response(code, self._health.report())


def json_response(code: int, body: object) -> web.Response:
    headers = {"X-Content-Type-Options": "nosniff"}
    return web.Response(status=code, body=msgspec.json.encode(body), content_type="application/json", headers=headers)
