"""Upgraded connections, spliced byte for byte: whatever protocol the two ends agreed upon, the server need not know it.

SPDY and WebSocket clients send nothing before they have seen the 101, so no byte is lost when the connection changes
hands.
"""

import asyncio
import ssl
from collections.abc import Callable, Iterable

from weft.apiserver.proxy.target import Target

_HEAD_LIMIT = 64 * 1024
_CONNECT = 10.0
_ANSWER = 60.0


class _End(asyncio.Protocol):
    """One end: what arrives goes out at the other."""

    def __init__(self, lost: Callable[[Exception | None], None]) -> None:
        self.other: asyncio.Transport | None = None
        self._lost = lost

    def data_received(self, data: bytes) -> None:
        if self.other is not None:
            self.other.write(data)

    def eof_received(self) -> bool:
        return False  # TLS knows no half-closed connections

    def pause_writing(self) -> None:
        if self.other is not None and not self.other.is_closing():
            self.other.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and not self.other.is_closing():
            self.other.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other is not None:
            self.other.close()
        self._lost(exc)


class _Backend(_End):
    """The end that we have opened: holds what arrives until the head of the answer is whole."""

    def __init__(self, lost: Callable[[Exception | None], None]) -> None:
        super().__init__(lost)
        self._begun = bytearray()
        self.head: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        if self.other is not None:
            self.other.write(data)
            return
        self._begun += data
        if (b"\r\n\r\n" in self._begun or len(self._begun) > _HEAD_LIMIT) and not self.head.done():
            self.head.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.head.done():
            self.head.set_exception(ConnectionResetError("the connection was closed before an answer came"))
        super().connection_lost(exc)

    def join(self, other: asyncio.Transport) -> None:
        self.other = other
        other.write(bytes(self._begun))
        self._begun.clear()


async def splice(
    client: asyncio.Transport,
    method: str,
    target: Target,
    headers: Iterable[tuple[bytes, bytes]],
    tls: ssl.SSLContext | None,
) -> None:
    """Sends the request on and joins the two connections, until either ends. Whatever the answer is, the client gets
    it as it came. Raises OSError or TimeoutError where there is no answer."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def lost(exc: Exception | None) -> None:
        if not ended.done():
            ended.set_result(None)

    async with asyncio.timeout(_CONNECT):
        transport, backend = await loop.create_connection(
            lambda: _Backend(lost), target.host, target.port, ssl=tls if target.tls else None
        )
    try:
        transport.write(_request_head(method, target, headers))
        async with asyncio.timeout(_ANSWER):
            await backend.head
        server_side = client.get_protocol()

        def client_lost(exc: Exception | None) -> None:
            lost(exc)
            server_side.connection_lost(exc)

        front = _End(client_lost)
        front.other = transport
        client.set_protocol(front)
        client.resume_reading()
        backend.join(client)
        await ended
    finally:
        transport.close()


def _request_head(method: str, target: Target, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    lines = [f"{method} {target.path} HTTP/1.1".encode(), f"Host: {target.authority}".encode()]
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join([*lines, b"", b""])
