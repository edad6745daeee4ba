"""Fixtures: one containerd for the whole session, a node agent for each test."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from .harness import Harness, agent
from .runtime import Node, node


@pytest.fixture(scope="session")
def runtime_node() -> Iterator[Node]:
    with node() as made:
        yield made


@pytest.fixture
async def harness(runtime_node: Node) -> AsyncIterator[Harness]:
    # Not tmp_path: what is mounted there would be in pytest's way when it cleans up.
    scratch = Path(tempfile.mkdtemp(dir=runtime_node.dir))
    async with agent(runtime_node, scratch) as made:
        yield made
