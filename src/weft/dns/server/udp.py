"""Datagrams: the loop that most queries never leave."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Awaitable

from weft.dns.server.front import Front
from weft.dns.server.mmsg import Batch, Envelope

_TURN = 0.002
"""Seconds after which other work, such as a watch event, gets its turn."""
_BUFFER = 4 << 20
"""Bytes that the kernel may hold for us while we are busy."""


class UdpSocket:
    """Answers on one socket until closed."""

    def __init__(self, sock: socket.socket, front: Front) -> None:
        sock.setblocking(False)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
        self._sock = sock
        self._front = front
        self._family = "2" if sock.family == socket.AF_INET6 else "1"
        self._table = front.new_table()
        self._batch = Batch(sock)
        self._later: set[asyncio.Task[None]] = set()
        asyncio.get_running_loop().add_reader(sock.fileno(), self._readable)

    def _readable(self) -> None:
        # Looking again at once is cheaper than a turn of the event loop, as long as there is more.
        until = time.monotonic() + _TURN
        while count := self._batch.receive():
            self._serve(count)
            if time.monotonic() > until:
                return

    def _serve(self, count: int) -> None:
        """Everything here happens for every query: no call that is not needed."""
        batch = self._batch
        data, lengths, sizes = batch.data, batch.lengths, batch.sizes
        find = self._table.entries.get
        begun = time.perf_counter()
        now = time.monotonic()
        first = 0
        whole = True
        for slot, at, length_at, size_at in batch.slots[:count]:
            after_id = at + 2
            entry = find(bytes(data[after_id : at + lengths[length_at]]))
            if entry is not None and entry.until > now:
                entry.times += 1
                body = entry.take()
                size = len(body)
                data[after_id : after_id + size] = body
                sizes[size_at] = size + 2
                continue
            whole = False
            reply = self._compute(bytes(data[at : at + lengths[length_at]]), slot)
            if reply:
                data[at : at + len(reply)] = reply
                sizes[size_at] = len(reply)
            else:
                batch.send(first, slot)
                first = slot + 1
        batch.send(first, count)
        if whole:
            self._front.fast_seconds += time.perf_counter() - begun
            self._front.fast_count += count

    def _compute(self, packet: bytes, slot: int) -> bytes:
        """A reply that is not prepared; b"" where there is none, or none yet."""
        answer = self._front.handle(packet, "udp", self._batch.client(slot), self._family, self._table)
        if isinstance(answer, bytes):
            return answer
        task = asyncio.ensure_future(self._reply_later(answer, self._batch.envelope(slot)))
        self._later.add(task)
        task.add_done_callback(self._later.discard)
        return b""

    async def _reply_later(self, answer: Awaitable[bytes], envelope: Envelope) -> None:
        data = await answer
        address, control = envelope
        with contextlib.suppress(OSError):  # the client is gone, or the buffer is full: a lost datagram
            self._sock.sendmsg([data], control, 0, address)

    async def close(self) -> None:
        """Answers what was received before, then closes."""
        asyncio.get_running_loop().remove_reader(self._sock.fileno())
        self._readable()
        if self._later:
            await asyncio.wait(self._later, timeout=5)
        for task in self._later:
            task.cancel()
        self._front.tables.remove(self._table)
        self._table.clear()
        self._sock.close()
