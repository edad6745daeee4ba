from collections.abc import AsyncIterator

import pytest
from tests.apiserver.server import Server, serving


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as running:
        yield running
