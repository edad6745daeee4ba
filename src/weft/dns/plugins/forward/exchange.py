"""One upstream server: questions over a few connected UDP sockets, over TCP where UDP is too small."""

import asyncio
import secrets
import socket
from collections.abc import Callable
from typing import cast

from weft.dns.message.errors import Malformed
from weft.dns.message.query import Query
from weft.dns.message.upstream import Message, ask, read_message

READ_TIMEOUT = 2.0
"""Seconds for one reply; as CoreDNS."""
_PER_SOCKET = 200
"""Questions after which a socket gives way to one with another port (RFC 5452: ports are hard to guess)."""


class NoReply(Exception):
    """The upstream did not answer; the text says why."""


class _Port(asyncio.DatagramProtocol):
    """A connected UDP socket and the questions that wait on it, by their id."""

    def __init__(self, born: float) -> None:
        self.waiting: dict[int, asyncio.Future[bytes]] = {}
        self.asked = 0
        self.born = born
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # The selector loop's transport does not derive from DatagramTransport before Python 3.12.
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: object) -> None:
        future = self.waiting.get(int.from_bytes(data[:2], "big")) if len(data) >= 12 and data[2] & 0x80 else None
        if future and not future.done():
            future.set_result(data)

    def error_received(self, exc: Exception) -> None:
        for future in self.waiting.values():
            if not future.done():
                future.set_exception(NoReply(_reason(exc)))

    def close(self) -> None:
        if self.transport:
            self.transport.close()


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no reply in time"
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


class Upstream:
    def __init__(self, address: tuple[str, int], *, expire: float, force_tcp: bool) -> None:
        self.address = address
        self.fails = 0
        """Checks of its health that failed since the last good one."""
        self._expire = expire
        self._force_tcp = force_tcp
        self._port: _Port | None = None
        self._old: set[_Port] = set()
        self._opening: asyncio.Task[_Port] | None = None

    def __str__(self) -> str:
        host, port = self.address
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def exchange(self, query: Query) -> Message:
        """The reply to `query`, whole. Raises NoReply."""
        flags = query.flags & 0x0130  # RD, AD, CD
        dnssec_ok = query.edns.dnssec_ok if query.edns else None

        def packet(id_: int) -> bytes:
            return ask(id_, query.name, query.type, query.class_, flags=flags, dnssec_ok=dnssec_ok)

        try:
            async with asyncio.timeout(READ_TIMEOUT):
                if not self._force_tcp:
                    message = await self._by_udp(packet, query)
                    if not message.truncated:
                        return message
                return await self._by_tcp(packet, query)
        except (TimeoutError, OSError, EOFError, Malformed) as error:
            raise NoReply(_reason(error)) from None

    async def alive(self, name: bytes, recursion: bool) -> bool:
        """Does it answer anything at all to `name IN NS`?"""
        query = Query(0, 0x0100 if recursion else 0, name, name.lower(), 2, 1)
        try:
            await self.exchange(query)
        except NoReply:
            return False
        return True

    async def _by_udp(self, packet: Callable[[int], bytes], query: Query) -> Message:
        port = await self._open_port()
        while True:
            id_ = secrets.randbelow(1 << 16)
            if id_ not in port.waiting:
                break
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        port.waiting[id_] = future
        try:
            assert port.transport
            port.transport.sendto(packet(id_))
            while True:
                data = await future
                try:
                    message = read_message(data)
                except Malformed:
                    message = None
                if message and _answers(message, query):
                    return message
                # Not the answer to our question: a stray, or somebody who guesses. Go on waiting.
                future = port.waiting[id_] = asyncio.get_running_loop().create_future()
        finally:
            port.waiting.pop(id_, None)
            if port in self._old and not port.waiting:
                self._old.discard(port)
                port.close()

    async def _open_port(self) -> _Port:
        now = asyncio.get_running_loop().time()
        port = self._port
        if port and port.asked < _PER_SOCKET and now - port.born < self._expire:
            port.asked += 1
            return port
        if self._opening is None:
            self._opening = asyncio.ensure_future(self._new_port(now))
            self._opening.add_done_callback(lambda _: setattr(self, "_opening", None))
        port = await asyncio.shield(self._opening)
        port.asked += 1
        return port

    async def _new_port(self, now: float) -> _Port:
        loop = asyncio.get_running_loop()
        _, port = await loop.create_datagram_endpoint(lambda: _Port(now), remote_addr=self.address)
        if self._port:
            if self._port.waiting:
                self._old.add(self._port)
            else:
                self._port.close()
        self._port = port
        return port

    async def _by_tcp(self, packet: Callable[[int], bytes], query: Query) -> Message:
        reader, writer = await asyncio.open_connection(*self.address)
        try:
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            id_ = secrets.randbelow(1 << 16)
            data = packet(id_)
            writer.write(len(data).to_bytes(2, "big") + data)
            size = int.from_bytes(await reader.readexactly(2), "big")
            message = read_message(await reader.readexactly(size))
            if message.id != id_ or not _answers(message, query):
                raise Malformed("the reply is not for this question")
            return message
        finally:
            writer.close()

    def close(self) -> None:
        for port in (self._port, *self._old):
            if port:
                port.close()


def _answers(message: Message, query: Query) -> bool:
    return message.name.lower() == query.key and message.type == query.type and message.class_ == query.class_
