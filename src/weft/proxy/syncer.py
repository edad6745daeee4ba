"""One step of the loop: what changed, into the kernel, and then into the log, conntrack and metrics."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime

from weft.cluster.objects.service import Service
from weft.kernel.conntrack import Conntrack, Translation
from weft.kernel.nft import NftError
from weft.kernel.state.nft import PROTOCOLS
from weft.proxy import words
from weft.proxy.checks import Check, check, wants_check
from weft.proxy.health import Health
from weft.proxy.metrics import Metrics
from weft.proxy.model import Frontend, NodeView
from weft.proxy.objects import EndpointSlice
from weft.proxy.plan import Changes, Mode, Stale
from weft.proxy.planner import Planner

_log = logging.getLogger(__name__)
TRIGGER_ANNOTATION = "endpoints.kubernetes.io/last-change-trigger-time"
Complain = Callable[[str, str, str], None]
"""Tells of a Service (its key) a reason and what is wrong, as an Event."""
_TOLD_SINGLY = 50
"""More changes than this at once are counted in the log, not told one by one."""


class Syncer:
    """Takes objects in as they come; `step` brings the kernel up to them."""

    def __init__(
        self,
        mode: Mode,
        conntrack: Conntrack,
        node: NodeView,
        health: Health,
        metrics: Metrics,
        complain: Complain = lambda *_: None,
    ) -> None:
        self.planner = Planner(node)
        self._complain = complain
        self._told: dict[str, frozenset[str]] = {}
        self._said: dict[Frontend, int] = {}
        """A hash of what the log said of it last."""
        self._checked: set[str] = set()
        self._checks: dict[int, Check] | None = None
        self._mode = mode
        self._conntrack = conntrack
        self._health = health
        self._metrics = metrics
        self._complete = False
        self._triggers: list[str] = []
        self._forgetting: asyncio.Task[None] | None = None

    def on_service(self, key: str, _old: Service | None, new: Service | None) -> None:
        self._metrics.service_changes.inc()
        self.planner.set_service(key, new)
        if new is None:
            self._told.pop(key, None)
        if key in self._checked or (new and wants_check(new)):
            self._checked.add(key)
            self._checks = None

    def on_slice(self, _key: str, old: EndpointSlice | None, new: EndpointSlice | None) -> None:
        self._metrics.endpoint_changes.inc()
        self.planner.set_slice(old, new)
        if any(one is not None and one.service_key in self._checked for one in (old, new)):
            self._checks = None
        if self._complete and new is not None and (stamp := (new.metadata.annotations or {}).get(TRIGGER_ANNOTATION)):
            self._triggers.append(stamp)

    def checks(self) -> dict[int, Check]:
        """The health-check ports of Services. Of two claims to one, that of the Service whose key sorts first holds."""
        if self._checks is not None:
            return self._checks
        self._checks = {}
        for key in sorted(self._checked):
            service = self.planner.services.get(key)
            found = check(service, self.planner.slices_of(key), self.planner.node.name) if service else None
            if found is None:
                self._checked.discard(key)
            else:
                self._checks.setdefault(found.port, found)
        return self._checks

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
        self._complain_of(self.planner.problems.found)
        self.planner.problems.found = {}
        level = logging.INFO if len(changes) <= _TOLD_SINGLY else logging.DEBUG
        if _log.isEnabledFor(level):
            for at, entry in changes.items():
                line = words.describe(at, entry) if entry else words.gone(at)
                # A Service is looked at for many reasons; what it does on this node seldom changes.
                if self._said.get(at) != hash(line):
                    _log.log(level, "%s", line)
                if entry:
                    self._said[at] = hash(line)
                else:
                    self._said.pop(at, None)
        if complete or level == logging.DEBUG:
            what = "all" if complete else "changed"
            _log.info("programmed %s: frontends=%d took=%.3fs", what, len(changes), took)

    def _complain_of(self, problems: Mapping[str, list[str]]) -> None:
        """Once for each, however often the Service is looked at."""
        for key, found in problems.items():
            known, self._told[key] = self._told.get(key, frozenset()), frozenset(found)
            for what in self._told[key] - known:
                _log.warning("%s: %s", key, what)
                self._complain(key, "FailedToProxy", what)

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
