"""Relays DNS from the nodes to the host's own resolvers, unchanged, over UDP and TCP.

The host's resolver often listens on 127.0.0.53 only, where no node can reach it; this process can.
"""

import asyncio
import logging
import struct
from pathlib import Path
from typing import cast

_log = logging.getLogger(__name__)
_TIMEOUT = 5.0
_MOST_PENDING = 1000


def resolvers(text: str) -> tuple[str, ...]:
    """The nameservers of a resolv.conf(5). Pure."""
    found = [line.split()[1] for line in text.splitlines() if line.startswith("nameserver") and len(line.split()) > 1]
    return tuple(found[:3])


class NameRelay(asyncio.DatagramProtocol):
    """Each query goes to the first resolver that answers; SERVFAIL where none does."""

    def __init__(self, resolv_conf: Path, port: int = 53) -> None:
        self._resolv_conf = resolv_conf
        self._port = port
        self._transport: asyncio.DatagramTransport | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if len(data) >= 12 and len(self._tasks) < _MOST_PENDING:
            task = asyncio.get_running_loop().create_task(self._answer(data, addr))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, query: bytes, addr: tuple[str, int]) -> None:
        reply = await self._ask(query)
        if self._transport:
            self._transport.sendto(reply, addr)

    def _upstreams(self) -> tuple[str, ...]:
        try:
            return resolvers(self._resolv_conf.read_text())
        except OSError:
            return ()

    async def _ask(self, query: bytes) -> bytes:
        for server in self._upstreams():
            try:
                return await asyncio.wait_for(_exchange(query, server, self._port), _TIMEOUT)
            except (OSError, TimeoutError):
                _log.debug("resolver %s does not answer", server)
        return servfail(query)

    async def serve_stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One TCP client (RFC 7766): queries in turn, each asked over TCP."""
        try:
            while True:
                (size,) = struct.unpack("!H", await asyncio.wait_for(reader.readexactly(2), 20))
                query = await reader.readexactly(size)
                reply = servfail(query)
                for server in self._upstreams():
                    try:
                        reply = await asyncio.wait_for(_exchange_stream(query, server, self._port), _TIMEOUT)
                        break
                    except (OSError, TimeoutError, asyncio.IncompleteReadError):
                        continue
                writer.write(struct.pack("!H", len(reply)) + reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, TimeoutError, ConnectionError):
            pass
        finally:
            writer.close()


def servfail(query: bytes) -> bytes:
    """The query's header and question with QR, RA and RCODE 2 (RFC 1035, 4.1.1). Pure."""
    if len(query) < 12:
        return b""
    flags = struct.unpack("!H", query[2:4])[0]
    return query[:2] + struct.pack("!H", (flags & 0x7910) | 0x8082) + query[4:6] + bytes(6) + _question(query)


def _question(query: bytes) -> bytes:
    at = 12
    while at < len(query) and query[at]:
        at += query[at] + 1
    return query[12 : at + 5]


class _One(asyncio.DatagramProtocol):
    def __init__(self, query: bytes, reply: asyncio.Future[bytes]) -> None:
        self._query, self._reply = query, reply

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.DatagramTransport, transport).sendto(self._query)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if data[:2] == self._query[:2] and not self._reply.done():
            self._reply.set_result(data)

    def error_received(self, exc: OSError) -> None:  # type: ignore[override]
        if not self._reply.done():
            self._reply.set_exception(exc)


async def _exchange(query: bytes, server: str, port: int) -> bytes:
    loop = asyncio.get_running_loop()
    reply: asyncio.Future[bytes] = loop.create_future()
    transport, _ = await loop.create_datagram_endpoint(lambda: _One(query, reply), remote_addr=(server, port))
    try:
        return await reply
    finally:
        transport.close()


async def _exchange_stream(query: bytes, server: str, port: int) -> bytes:
    reader, writer = await asyncio.open_connection(server, port)
    try:
        writer.write(struct.pack("!H", len(query)) + query)
        (size,) = struct.unpack("!H", await reader.readexactly(2))
        return await reader.readexactly(size)
    finally:
        writer.close()
