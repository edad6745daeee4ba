"""Two connections made one: what arrives at either leaves by the other, untouched, at the pace of the slower."""

import asyncio
from collections.abc import Callable

from aiohttp import web

from weft.kubelet.streaming.upstream import Upstream

_CHUNK = 1 << 16


class _Tap(asyncio.Protocol):
    """Takes an HTTP connection over, once its head has been answered."""

    def __init__(self, transport: asyncio.Transport, on_data: Callable[[bytes], None]) -> None:
        self._transport = transport
        self._on_data = on_data
        self._writable = asyncio.Event()
        self._writable.set()
        self.closed = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self._on_data(data)

    def eof_received(self) -> bool:
        self.closed.set()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()
        self._writable.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def write(self, data: bytes) -> None:
        self._transport.write(data)
        await self._writable.wait()


async def splice(request: web.Request, upstream: Upstream) -> web.StreamResponse:
    """Answers `request` with the upstream's own head, then joins both until either ends.

    A client sends nothing after its request until it has the 101, so nothing is lost between the two protocols.
    """
    transport = request.transport
    if not isinstance(transport, asyncio.Transport):
        upstream.writer.close()
        raise web.HTTPBadGateway(text="the connection is gone")
    tap = _Tap(transport, upstream.writer.write)
    former = transport.get_protocol()
    transport.set_protocol(tap)
    transport.write(upstream.head)
    down = asyncio.create_task(_pour(upstream, tap))
    up = asyncio.create_task(_slow_down(upstream, transport, tap))
    try:
        await asyncio.wait({down, asyncio.create_task(tap.closed.wait()), up}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        up.cancel()
        if tap.closed.is_set():
            down.cancel()
        upstream.writer.close()
        transport.close()
        if isinstance(former, asyncio.Protocol):
            former.connection_lost(None)
    return web.Response()


async def _pour(upstream: Upstream, tap: _Tap) -> None:
    while data := await upstream.reader.read(_CHUNK):
        await tap.write(data)


async def _slow_down(upstream: Upstream, transport: asyncio.Transport, tap: _Tap) -> None:
    """Stops reading from the client while the upstream does not keep up."""
    while not tap.closed.is_set():
        if upstream.writer.transport.get_write_buffer_size() > 8 * _CHUNK:
            transport.pause_reading()
            await upstream.writer.drain()
            transport.resume_reading()
        await asyncio.sleep(0.05)
