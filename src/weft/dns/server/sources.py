"""What lives longer than one Corefile: the watches of the cluster, shared by all server blocks that want the same."""

import asyncio
import contextlib
from collections.abc import Callable

from weft.cluster.port import Cluster
from weft.dns.plugins.kubernetes.setup import Config
from weft.dns.plugins.kubernetes.watch import Sink, Wanted, Watches, wanted

MakeCluster = Callable[[str, str], Callable[[], Cluster]]
"""kubeconfig and context → a function that connects. Raises ValueError at once where the file is no good."""


class Sources:
    def __init__(self, make_cluster: MakeCluster, sink: Sink, local_addresses: tuple[str, ...]) -> None:
        self._make_cluster = make_cluster
        self._sink = sink
        self._local_addresses = local_addresses
        self._watches: dict[Wanted, Watches] = {}
        self._tasks: dict[Wanted, asyncio.Task[None]] = {}
        self._asked: dict[Wanted, float] = {}
        """What the Corefile that is being built wants, and how long it waits for it."""

    def begin(self) -> dict[Wanted, float]:
        """A new Corefile is about to be built; gives what `go_back` needs if it fails."""
        before, self._asked = self._asked, {}
        return before

    async def go_back(self, before: dict[Wanted, float]) -> None:
        self._asked = before
        await self.stop_unused()

    def watches(self, config: Config) -> Watches:
        what = wanted(config)
        self._asked[what] = max(self._asked.get(what, 0.0), config.startup_timeout)
        if what not in self._watches:
            connect = self._make_cluster(what.kubeconfig, what.context)
            self._watches[what] = Watches(connect, what, self._sink, local_addresses=self._local_addresses)
        return self._watches[what]

    async def start(self) -> None:
        """Starts what is new and waits for its first lists, as long as its Corefile allows."""
        new = [what for what in self._asked if what not in self._tasks]
        for what in new:
            self._tasks[what] = asyncio.ensure_future(self._watches[what].run())
        for what in new:
            await self._watches[what].wait(self._asked[what])

    async def stop_unused(self) -> None:
        """Ends the watches that the Corefile of now does not want."""
        for what in [what for what in self._watches if what not in self._asked]:
            del self._watches[what]
            if task := self._tasks.pop(what, None):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await task

    async def close(self) -> None:
        await self.go_back({})
