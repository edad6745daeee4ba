"""Helpers of the controllers' tests: a manager over a fake or a real cluster, and patience."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
from tests.servers import Server, real_apiserver, weft_apiserver

from weft.cluster.port import Cluster
from weft.cluster.real import HttpCluster, load
from weft.controllers.catalog import CONTROLLERS
from weft.controllers.context import Context, Options


async def eventually(holds: Callable[[], Awaitable[bool]], timeout: float = 10.0) -> None:
    """Waits until it holds; fails after `timeout` seconds."""
    async with asyncio.timeout(timeout):
        while not await holds():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def managed(context: Context, *names: str) -> AsyncIterator[None]:
    """Runs the named controllers for the length of the block."""
    tasks = [asyncio.create_task(CONTROLLERS[name](context).run()) for name in names]
    try:
        yield
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await context.close()


@asynccontextmanager
async def clients(server: Server) -> AsyncIterator[tuple[HttpCluster, HttpCluster]]:
    """(the administrator's, the controllers' own)"""
    async with HttpCluster(load(server.admin)) as admin, HttpCluster(load(server.identities["controllers"])) as own:
        yield admin, own
    await asyncio.sleep(0.05)  # let TLS connections take their leave, or they warn as they are collected


def context_for(cluster: Cluster, options: Options | None = None) -> Context:
    return Context(cluster, options or Options())


SERVERS = {"weft": weft_apiserver, "kube-apiserver": real_apiserver}


@pytest.fixture(scope="session", params=["weft", pytest.param("kube-apiserver", marks=pytest.mark.peer)])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Each of the API servers that the controllers must work with."""
    with SERVERS[request.param]() as running:
        yield running
