"""No token comes into a log, not even that of a request that cannot be read."""

import asyncio
import logging

import pytest
from aiohttp import web

from weft.apiserver.run import without_content


async def test_malformed_requests_are_logged_without_their_headers(caplog: pytest.LogCaptureFixture) -> None:
    async def never(_: web.BaseRequest) -> web.StreamResponse:
        raise AssertionError("no request was made")

    logger = logging.getLogger("aiohttp.server")
    logger.addFilter(without_content)
    try:
        server = web.Server(never)
        listener = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*listener.sockets[0].getsockname())
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer SECRET\nTOKEN\r\n\r\n")
        assert b"400" in await reader.readline()
        writer.close()
        listener.close()
        await server.shutdown(1)
    finally:
        logger.removeFilter(without_content)
    assert "Error handling request" in caplog.text
    assert "SECRET" not in caplog.text
