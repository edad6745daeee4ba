"""How many pods are brought up at the same time. A hundred at once would all be ready last; a few at a time, with those
that have begun going first, are ready one after the other, and no later in the end.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator


class Slots:
    """`count` holders at a time. Where none has finished for `patience` seconds, the next one goes all the same: a call
    that hangs (a CNI plugin without its daemon, say) must not keep the whole node from starting pods."""

    def __init__(self, count: int, *, patience: float = 2.0) -> None:
        self._free = count
        self._patience = patience
        self._waiting: tuple[deque[asyncio.Future[None]], deque[asyncio.Future[None]]] = (deque(), deque())
        self._released_at = 0.0

    @contextlib.asynccontextmanager
    async def hold(self, *, begun: bool = False) -> AsyncIterator[None]:
        """`begun`: the pod has its sandbox already, and goes before those that have nothing."""
        await self._acquire(begun)
        try:
            yield
        finally:
            self._free += 1
            self._released_at = asyncio.get_running_loop().time()
            self._admit()

    async def _acquire(self, begun: bool) -> None:
        loop = asyncio.get_running_loop()
        if self._free > 0 and not any(self._waiting):
            self._free -= 1
            return
        turn: asyncio.Future[None] = loop.create_future()
        since = loop.time()
        self._waiting[0 if begun else 1].append(turn)
        try:
            while not turn.done():
                rest = max(since, self._released_at) + self._patience - loop.time()
                if rest <= 0:
                    self._free -= 1
                    self._drop(turn)
                    self._released_at = loop.time()  # one at a time
                    return
                await asyncio.wait({turn}, timeout=rest)
        except asyncio.CancelledError:
            if turn.done():
                self._free += 1
            self._drop(turn)
            self._admit()
            raise

    def _drop(self, turn: "asyncio.Future[None]") -> None:
        for line in self._waiting:
            with contextlib.suppress(ValueError):
                line.remove(turn)

    def _admit(self) -> None:
        while self._free > 0 and any(self._waiting):
            line = self._waiting[0] or self._waiting[1]
            self._free -= 1
            line.popleft().set_result(None)
