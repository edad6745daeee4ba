"""Helpers of the controllers' tests: a manager over a fake or a real cluster, and patience."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.peers import kube_apiserver

from weft.cluster.port import Cluster
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


def context_for(cluster: Cluster, options: Options | None = None) -> Context:
    return Context(cluster, options or Options())


@pytest.fixture(scope="session")
def peer_kubeconfig() -> Iterator[Path]:
    with kube_apiserver() as path:
        yield path
