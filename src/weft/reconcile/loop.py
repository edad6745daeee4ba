"""The node agents' loop: something changed → make the whole desired state → apply the difference.

`cluster.objects ─► model ─► plan ─► render ─► kernel.state ─► diff ─► apply`: the component gives one coroutine that
does all of this; the loop decides when it runs, coalesces triggers, retries, and knows whether it is healthy.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

_log = logging.getLogger(__name__)


class Loop:
    """`trigger()` asks for a run; runs never overlap; at least `quiet` seconds lie between two."""

    def __init__(
        self, step: Callable[[], Awaitable[None]], *, name: str, quiet: float = 0.0, resync: float = 60.0
    ) -> None:
        self._step = step
        self._name = name
        self._quiet = quiet
        self._resync = resync
        self._wake = asyncio.Event()
        self.failures = 0
        """Runs that failed since the last good one."""
        self.last_success: float | None = None
        """Loop time of the last good run."""
        self.queued_at: float | None = None
        """Loop time of the oldest trigger that no run has served yet."""

    def trigger(self) -> None:
        if self.queued_at is None:
            self.queued_at = asyncio.get_running_loop().time()
        self._wake.set()

    async def run(self) -> None:
        """Runs until cancelled; also every `resync` seconds without a trigger, to repair what others broke."""
        loop = asyncio.get_running_loop()
        self.trigger()
        while True:
            try:
                await asyncio.wait_for(self._wake.wait(), self._resync)
            except TimeoutError:
                pass
            self._wake.clear()
            queued, self.queued_at = self.queued_at, None
            try:
                await self._step()
                self.failures, self.last_success = 0, loop.time()
                await asyncio.sleep(self._quiet)
            except Exception as error:
                self.failures += 1
                self.queued_at = queued
                self._wake.set()
                delay = min(0.05 * 2**self.failures, 10.0)
                _log.error("%s failed (%d in a row), again in %.1f s: %s", self._name, self.failures, delay, error)
                await asyncio.sleep(delay)
