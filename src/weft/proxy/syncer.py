"""One step of the loop: what changed, into the kernel, and then into the log, conntrack and metrics."""

import asyncio
import logging
import time
from datetime import datetime

from weft.cluster.objects.service import Service
from weft.kernel.conntrack import Conntrack, Translation
from weft.kernel.nft import NftError
from weft.kernel.state.nft import PROTOCOLS
from weft.proxy import words
from weft.proxy.health import Health
from weft.proxy.metrics import Metrics
from weft.proxy.model import NodeView
from weft.proxy.objects import EndpointSlice
from weft.proxy.plan import Changes, Mode, Stale
from weft.proxy.planner import Planner

_log = logging.getLogger(__name__)
TRIGGER_ANNOTATION = "endpoints.kubernetes.io/last-change-trigger-time"
_TOLD_SINGLY = 50
"""More changes than this at once are counted in the log, not told one by one."""


class Syncer:
    """Takes objects in as they come; `step` brings the kernel up to them."""

    def __init__(self, mode: Mode, conntrack: Conntrack, node: NodeView, health: Health, metrics: Metrics) -> None:
        self.planner = Planner(node)
        self._mode = mode
        self._conntrack = conntrack
        self._health = health
        self._metrics = metrics
        self._complete = False
        self._count = 0
        self._triggers: list[str] = []
        self._forgetting: asyncio.Task[None] | None = None

    def on_service(self, key: str, _old: Service | None, new: Service | None) -> None:
        self._metrics.service_changes.inc()
        self.planner.set_service(key, new)

    def on_slice(self, _key: str, old: EndpointSlice | None, new: EndpointSlice | None) -> None:
        self._metrics.endpoint_changes.inc()
        self.planner.set_slice(old, new)
        if self._complete and new is not None and (stamp := (new.metadata.annotations or {}).get(TRIGGER_ANNOTATION)):
            self._triggers.append(stamp)

    def recheck(self) -> None:
        """The next step looks at what the kernel holds."""
        self._complete = False

    async def step(self) -> None:
        """Raises NftError or OSError where the kernel refuses; the next step then begins with what the kernel holds."""
        complete, started = not self._complete, time.perf_counter()
        changes: Changes = self.planner.everything() if complete else self.planner.changes()
        if not changes and not complete:
            self._health.updated()
            return
        self._metrics.pending.set(self.planner.pending)
        try:
            stale = await self._mode.apply(changes, complete=complete)
        except (NftError, OSError):
            self._complete = False
            self._metrics.failures.inc()
            raise
        self._complete = True
        self._health.updated()
        self._measure(time.perf_counter() - started, complete)
        self._tell(changes, complete, time.perf_counter() - started)
        self._forget(stale)

    def _measure(self, took: float, complete: bool) -> None:
        now = time.time()
        self._metrics.sync.observe(took)
        (self._metrics.full_sync if complete else self._metrics.partial_sync).observe(took)
        self._metrics.last_sync.set(now)
        self._metrics.frontends.set(len(self.planner))
        triggers, self._triggers = self._triggers, []
        for stamp in triggers:
            try:
                self._metrics.programming.observe(max(0.0, now - datetime.fromisoformat(stamp).timestamp()))
            except ValueError:
                _log.debug("%s: %r is no time", TRIGGER_ANNOTATION, stamp)

    def _tell(self, changes: Changes, complete: bool, took: float) -> None:
        problems, self.planner.problems.lines = self.planner.problems.lines, []
        for line in problems[:_TOLD_SINGLY]:
            _log.warning("%s", line)
        level = logging.INFO if len(changes) <= _TOLD_SINGLY else logging.DEBUG
        if _log.isEnabledFor(level):
            for at, entry in changes.items():
                _log.log(level, "%s", words.describe(at, entry) if entry else words.gone(at))
        if complete or level == logging.DEBUG:
            what = "all" if complete else "changed"
            _log.info("programmed %s: frontends=%d took=%.3fs", what, len(changes), took)

    def _forget(self, stale: Stale) -> None:
        """Conntrack may be large: other changes do not wait for it."""
        if not stale.pairs:
            return
        pairs = [Translation(PROTOCOLS[at.protocol], at.address, at.port, to, port) for at, to, port in stale.pairs]
        self._forgetting = asyncio.create_task(self._forget_after(self._forgetting, pairs))

    async def _forget_after(self, before: asyncio.Task[None] | None, pairs: list[Translation]) -> None:
        if before is not None:
            await asyncio.wait([before])
        try:
            await asyncio.to_thread(self._conntrack.forget, pairs)
            self._metrics.conntrack_deleted.inc(len(pairs))
        except OSError as error:
            _log.warning("stale UDP flows stay for a while: %s", error)
