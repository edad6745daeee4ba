"""TCP: several questions may follow one another without waiting (RFC 7766 section 6.2.1.1); replies as they come."""

import asyncio
import socket
from collections.abc import Awaitable

from weft.dns.server.front import Front

IDLE = 10.0
"""Seconds after which a silent connection is closed."""
_MOST_CONNECTIONS = 1024
_MOST_WAITING = 128
"""Questions of one connection that may be under way; more are left in the socket."""


class Connection(asyncio.Protocol):
    def __init__(self, front: Front, all_: set["Connection"]) -> None:
        self._front = front
        self._all = all_
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._client = ("", 0)
        self._family = "1"
        self._later: set[asyncio.Task[None]] = set()
        self._idle: asyncio.TimerHandle | None = None
        self._ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        if len(self._all) >= _MOST_CONNECTIONS:
            transport.abort()
            return
        self._all.add(self)
        self._transport = transport
        peer = transport.get_extra_info("peername") or ("", 0)
        self._client = (str(peer[0]), int(peer[1]))
        self._family = "2" if transport.get_extra_info("socket").family == socket.AF_INET6 else "1"
        self._touch()

    def _touch(self) -> None:
        if self._idle:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(IDLE, self.end)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._touch()
        self._take()

    def _take(self) -> None:
        """Serves every whole question in the buffer."""
        assert self._transport
        start = 0
        while len(self._buffer) - start >= 2 and len(self._later) < _MOST_WAITING:
            size = int.from_bytes(self._buffer[start : start + 2], "big")
            if len(self._buffer) - start < 2 + size:
                break
            packet = bytes(self._buffer[start + 2 : start + 2 + size])
            start += 2 + size
            answer = self._front.handle(packet, "tcp", self._client, self._family, None)
            if isinstance(answer, bytes):
                self._write(answer)
            else:
                task = asyncio.ensure_future(self._write_later(answer))
                self._later.add(task)
                task.add_done_callback(self._done)
        del self._buffer[:start]
        if len(self._later) >= _MOST_WAITING:
            self._transport.pause_reading()

    def _write(self, data: bytes) -> None:
        assert self._transport
        if not data:
            self.end()  # what is no question ends the connection
        elif not self._transport.is_closing():
            self._transport.write(len(data).to_bytes(2, "big") + data)

    async def _write_later(self, answer: Awaitable[bytes]) -> None:
        self._write(await answer)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._later.discard(task)
        if self._ended and not self._later:
            self._close()
        elif self._transport and not self._transport.is_closing():
            if self._buffer:
                self._take()
            if len(self._later) < _MOST_WAITING:
                self._transport.resume_reading()

    def eof_received(self) -> bool:
        self.end()
        return True

    def pause_writing(self) -> None:
        """The client does not read its replies: take no more of its questions."""
        if self._transport:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._transport and not self._ended:
            self._transport.resume_reading()

    def end(self) -> None:
        """Closes once all replies are out."""
        self._ended = True
        if not self._later:
            self._close()

    def _close(self) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._all.discard(self)
        if self._idle:
            self._idle.cancel()
        for task in self._later:
            task.cancel()


class TcpServer:
    def __init__(self, server: asyncio.Server, connections: set[Connection]) -> None:
        self._server = server
        self._connections = connections

    @classmethod
    async def start(cls, sock: socket.socket, front: Front) -> "TcpServer":
        connections: set[Connection] = set()
        server = await asyncio.get_running_loop().create_server(lambda: Connection(front, connections), sock=sock)
        return cls(server, connections)

    async def close(self) -> None:
        self._server.close()
        for connection in list(self._connections):
            connection.end()
        await asyncio.sleep(0)
