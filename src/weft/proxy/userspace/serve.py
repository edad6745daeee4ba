"""One frontend's socket: TCP connections and UDP flows are passed on to an endpoint, byte by byte."""

import asyncio
import contextlib
import logging
import random
import socket
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from struct import pack
from typing import Any

from weft.proxy.endpoints import Endpoint, packed
from weft.proxy.model import Entry, Frontend
from weft.proxy.userspace import choice, filter
from weft.proxy.userspace.choice import Memory, Place
from weft.proxy.userspace.doors import Sockets, guard

_log = logging.getLogger(__name__)
_PIECE = 1 << 16
_CONNECT = 5.0
_UDP_IDLE = 60.0
_DATAGRAMS = 64
"""Datagrams read in one go, so that a busy flow does not hold up the others."""


class Server:
    """Made in a running loop. `changed` is called when a connection has ended."""

    def __init__(self, at: Frontend, entry: Entry, place: Place, sockets: Sockets, changed: Callable[[], None]) -> None:
        self.at = at
        self._sockets = sockets
        self._loop = asyncio.get_running_loop()
        self._memory = Memory()
        self._changed = changed
        self.connections: set[asyncio.Task[None]] = set()
        self._socket = sockets.listen(at.address, at.port, at.protocol)
        self._flows: dict[Any, _Flow] = {}
        try:
            self.become(entry, place)
        except (OSError, ValueError):
            self._socket.close()
            raise
        self._loop.add_reader(self._socket, self._on_connection if at.protocol == "tcp" else self._on_datagram)

    def become(self, entry: Entry, place: Place) -> None:
        """From now on. Open connections stay where they are; UDP flows leave endpoints that are gone."""
        self.entry, self.place = entry, place
        who = choice.allowed(self.at, entry, place)
        guard(self._socket, None if who is None else filter.program(who))
        left = {(end.address, end.port) for end in (*entry.cluster, *(entry.local or ()))}
        for caller, flow in list(self._flows.items()):
            if (flow.end.address, flow.end.port) not in left:
                self._end(caller)

    def close(self) -> None:
        """No new connections; those that are open go on."""
        if not self._loop.is_closed():
            self._loop.remove_reader(self._socket)
        for caller in list(self._flows):
            self._end(caller)
        self._socket.close()

    def _pick(self, caller: bytes) -> Endpoint | None:
        ends = choice.endpoints(self.at, self.entry, caller, self.place)
        if not ends:
            return None
        return self._memory.pick(ends, caller, self.entry.affinity, self._loop.time(), random.randrange)

    # TCP

    def _on_connection(self) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionAbortedError):
            client, caller = self._socket.accept()
            client.setblocking(False)
            task = self._loop.create_task(self._serve(client, packed(caller[0].partition("%")[0])))
            self.connections.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self.connections.discard(task)
        self._changed()

    async def _serve(self, client: socket.socket, caller: bytes) -> None:
        with client:
            upstream = await self._reach(caller)
            if upstream is None:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, pack("ii", 1, 0))
                return
            with upstream:
                try:
                    await asyncio.gather(self._copy(client, upstream), self._copy(upstream, client))
                except OSError as error:
                    _log.debug("%s: %s", self.entry.service, error)

    async def _reach(self, caller: bytes) -> socket.socket | None:
        """One that does not answer is passed over: another may."""
        end = self._pick(caller)
        tried: set[Endpoint] = set()
        while end is not None and end not in tried:
            tried.add(end)
            upstream = self._sockets.make(len(end.address), "tcp")
            try:
                where = (str(ip_address(end.address)), end.port)
                await asyncio.wait_for(self._loop.sock_connect(upstream, where), _CONNECT)
                return upstream
            except (OSError, TimeoutError) as error:
                upstream.close()
                _log.debug("%s: endpoint %s: %s", self.entry.service, ip_address(end.address), error)
            except BaseException:
                upstream.close()
                raise
            rest = [one for one in choice.endpoints(self.at, self.entry, caller, self.place) if one not in tried]
            end = random.choice(rest) if rest else None
        return None

    async def _copy(self, source: socket.socket, target: socket.socket) -> None:
        """Until the source says that it sends no more, which the target is told in turn."""
        while piece := await self._loop.sock_recv(source, _PIECE):
            await self._loop.sock_sendall(target, piece)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    # UDP

    def _on_datagram(self) -> None:
        for _ in range(_DATAGRAMS):
            try:
                data, caller = self._socket.recvfrom(_PIECE)
            except OSError:
                return
            flow = self._flows.get(caller) or self._begin(caller)
            if flow is not None:
                flow.last = self._loop.time()
                with contextlib.suppress(OSError):
                    flow.upstream.send(data)

    def _begin(self, caller: Any) -> "_Flow | None":
        end = self._pick(packed(caller[0].partition("%")[0]))
        if end is None:
            return None
        upstream = self._sockets.make(len(end.address), "udp")
        try:
            upstream.connect((str(ip_address(end.address)), end.port))
        except OSError:
            upstream.close()
            return None
        flow = self._flows[caller] = _Flow(upstream, end, self._loop.time())
        self._loop.add_reader(upstream, self._on_answer, caller, flow)
        flow.timer = self._loop.call_later(_UDP_IDLE, self._idle, caller, flow)
        return flow

    def _on_answer(self, caller: Any, flow: "_Flow") -> None:
        for _ in range(_DATAGRAMS):
            try:
                data = flow.upstream.recv(_PIECE)
                flow.last = self._loop.time()
                self._socket.sendto(data, caller)
            except OSError:
                return

    def _idle(self, caller: Any, flow: "_Flow") -> None:
        left = flow.last + _UDP_IDLE - self._loop.time()
        if left > 0:
            flow.timer = self._loop.call_later(left, self._idle, caller, flow)
        else:
            self._end(caller)

    def _end(self, caller: Any) -> None:
        flow = self._flows.pop(caller)
        if not self._loop.is_closed():
            self._loop.remove_reader(flow.upstream)
        if flow.timer is not None:
            flow.timer.cancel()
        flow.upstream.close()


@dataclass(slots=True)
class _Flow:
    upstream: socket.socket
    end: Endpoint
    last: float
    timer: asyncio.TimerHandle | None = None
