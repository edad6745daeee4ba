"""A queue of keys to look at again (client-go's workqueue: a key is handled by one worker at a time, and once)."""

import asyncio
import heapq
import logging
from collections.abc import Awaitable, Callable

_log = logging.getLogger(__name__)


class WorkQueue:
    """`add` as often as you like; `run` calls `handle(key)` with `workers` tasks, again with back-off if it raises."""

    def __init__(self, handle: Callable[[str], Awaitable[None]], *, name: str = "", workers: int = 4) -> None:
        self._handle = handle
        self._name = name
        self._workers = workers
        self._ready: asyncio.Queue[str] = asyncio.Queue()
        self._waiting: set[str] = set()
        self._active: set[str] = set()
        self._again: set[str] = set()
        self._failures: dict[str, int] = {}
        self._later: list[tuple[float, str]] = []
        self._later_changed = asyncio.Event()

    def add(self, key: str) -> None:
        """Handles `key` soon; once, if it is already waiting; once more, if it is being handled now."""
        if key in self._active:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._ready.put_nowait(key)

    def add_after(self, key: str, delay: float) -> None:
        """Handles `key` after `delay` seconds."""
        if delay <= 0:
            self.add(key)
            return
        heapq.heappush(self._later, (asyncio.get_running_loop().time() + delay, key))
        self._later_changed.set()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._active)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._clock())
            for _ in range(self._workers):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            key = await self._ready.get()
            self._waiting.discard(key)
            self._active.add(key)
            try:
                await self._handle(key)
                self._failures.pop(key, None)
            except Exception as error:
                count = self._failures[key] = self._failures.get(key, 0) + 1
                delay = min(0.005 * 2**count, 30.0)
                level = logging.DEBUG if count < 3 else logging.WARNING
                _log.log(level, "%s %s failed, again in %.2f s: %s", self._name, key, delay, error or repr(error))
                self.add_after(key, delay)
            finally:
                self._active.discard(key)
                if key in self._again:
                    self._again.discard(key)
                    self.add(key)

    async def _clock(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while self._later and self._later[0][0] <= loop.time():
                self.add(heapq.heappop(self._later)[1])
            self._later_changed.clear()
            wait = self._later[0][0] - loop.time() if self._later else None
            try:
                await asyncio.wait_for(self._later_changed.wait(), wait)
            except TimeoutError:
                pass
