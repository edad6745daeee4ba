"""Datagrams: the loop that most queries never leave."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Awaitable

from weft.dns.server.front import Front
from weft.dns.server.mmsg import SLOT_SIZE, SLOTS, Batch, Envelope

_ROUNDS = 4
"""Batches that are taken before other work (a watch event) gets its turn."""
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
        for _ in range(_ROUNDS):
            count = self._batch.receive()
            if count:
                self._serve(count)
            if count < SLOTS:
                return

    def _serve(self, count: int) -> None:
        """Everything here happens for every query: no call that is not needed."""
        batch = self._batch
        queries, lengths, length_at = batch.queries, batch.lengths, batch.length_at
        replies, sizes = batch.replies, batch.sizes
        find = self._table.entries.get
        begun = time.perf_counter()
        now = time.monotonic()
        fast = first = at = 0
        for slot in range(count):
            packet = bytes(queries[at : at + lengths[length_at[slot]]])
            entry = find(packet[2:])
            if entry is not None and entry.until > now:
                entry.times += 1
                fast += 1
                reply = packet[:2] + entry.take()
            else:
                reply = self._compute(packet, slot)
                if not reply:
                    batch.send(first, slot)
                    first = slot + 1
                    at += SLOT_SIZE
                    continue
            size = len(reply)
            replies[at : at + size] = reply
            sizes[2 * slot + 1] = size
            at += SLOT_SIZE
        batch.send(first, count)
        if fast == count:
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
