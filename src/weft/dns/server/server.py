"""The process' sockets and the Corefile that is served on them. A new Corefile takes over without closing a socket."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterable, Sequence

from weft.dns.chain import Answer
from weft.dns.corefile import ServerBlock
from weft.dns.message.query import Query
from weft.dns.metrics import Metrics
from weft.dns.server.bind import bind
from weft.dns.server.front import Front
from weft.dns.server.http import HttpServer
from weft.dns.server.instance import Address, Instance, build
from weft.dns.server.sources import MakeCluster, Sources
from weft.dns.server.tcp import TcpServer
from weft.dns.server.udp import UdpSocket

_log = logging.getLogger(__name__)


class Listener:
    """UDP and TCP on one address and port; on both families where no host is given."""

    def __init__(self, address: Address, front: Front) -> None:
        self.front = front
        self._address = address
        self._udp: list[UdpSocket] = []
        self._tcp: list[TcpServer] = []

    async def open(self, *, shared: bool) -> None:
        """Raises ValueError that names the address when it is in use."""
        host, port = self._address
        try:
            sockets = bind(host, port, (socket.SOCK_DGRAM, socket.SOCK_STREAM), shared=shared)
        except OSError as error:
            raise ValueError(
                f"{host or '*'}:{port}: {error.strerror} (stop the other server, or use -dns.port or bind)"
            ) from None
        for sock in sockets:
            if sock.type == socket.SOCK_DGRAM:
                self._udp.append(UdpSocket(sock, self.front))
            else:
                self._tcp.append(await TcpServer.start(sock, self.front))

    async def close(self) -> None:
        for tcp in self._tcp:
            await tcp.close()
        for udp in self._udp:
            await udp.close()


class _Resolver:
    """What the plugins of one address may ask of the server."""

    def __init__(self, front: Front, server: "Server") -> None:
        self._front = front
        self._server = server

    def resolve(self, query: Query) -> Answer:
        return self._front.resolve(query)

    def changed(self, tags: Iterable[str]) -> None:
        self._server.changed(tags)

    def changed_all(self) -> None:
        self._server.changed_all()

    def fail(self, reason: str) -> None:
        self._server.fail(reason)


class Server:
    """`apply` as often as the Corefile changes, `close` at the end. `failed` is done when it must not go on."""

    def __init__(
        self,
        make_cluster: MakeCluster,
        *,
        local_addresses: tuple[str, ...] = (),
        shared_ports: bool = False,
        http: bool = True,
    ) -> None:
        self.metrics = Metrics()
        self.instance = Instance()
        self.failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._sources = Sources(make_cluster, self, local_addresses)
        self._fronts: dict[Address, Front] = {}
        self._listeners: dict[Address, Listener] = {}
        self._http: dict[Address, HttpServer] = {}
        self._background: list[asyncio.Task[None]] = []
        self._ending: set[asyncio.Task[None]] = set()
        self._shared_ports = shared_ports
        self._serve_http = http
        self.stopping = False
        self.metrics.before_scrape.append(self._count)

    def _count(self) -> None:
        for front in self._fronts.values():
            front.count_all()

    def changed(self, tags: Iterable[str]) -> None:
        tags = tuple(tags)
        for listener in self._listeners.values():
            for table in listener.front.tables:
                table.changed(tags)

    def changed_all(self) -> None:
        for listener in self._listeners.values():
            for table in listener.front.tables:
                table.clear()

    def fail(self, reason: str) -> None:
        if not self.failed.done():
            self.failed.set_result(reason)

    def _resolver(self, address: Address) -> _Resolver:
        return _Resolver(self._front(address), self)

    def _front(self, address: Address) -> Front:
        if address not in self._fronts:
            self._fronts[address] = Front(f"dns://:{address[1]}", self.metrics)
        return self._fronts[address]

    async def apply(self, blocks: Sequence[ServerBlock]) -> None:
        """Serves `blocks` from now on. Raises ValueError, and then everything is as it was before."""
        before = self._sources.begin()
        opened_http: dict[Address, HttpServer] = {}
        opened: dict[Address, Listener] = {}
        try:
            new = build(blocks, self._resolver, self.metrics, self._sources)
            routes = new.routes(lambda: self.stopping) if self._serve_http else {}
            for address in routes.keys() - self._http.keys():
                opened_http[address] = HttpServer(routes[address])
                await opened_http[address].start(*address)
            await self._sources.start()
            for address in new.zones.keys() - self._listeners.keys():
                front = self._front(address)
                front.zones = new.zones[address]
                opened[address] = Listener(address, front)
                await opened[address].open(shared=self._shared_ports)
        except BaseException:
            for http in opened_http.values():
                await http.close()
            for listener in opened.values():
                await listener.close()
            await self._sources.go_back(before)
            raise
        self._http.update(opened_http)
        self._listeners.update(opened)
        self._swap(new)
        for address in self._http.keys() - routes.keys():
            await self._http.pop(address).close()
        for address, server in self._http.items():
            server.routes = routes[address]
        for address in self._listeners.keys() - new.zones.keys():
            await self._listeners.pop(address).close()
        await self._sources.stop_unused()

    def _swap(self, new: Instance) -> None:
        """No query sees half of it: there is no turn of the loop in here."""
        for address, zones in new.zones.items():
            self._front(address).zones = zones
        self.instance = new
        self.changed_all()
        before, self._background = self._background, []
        for site in new.sites:
            self._background += [asyncio.ensure_future(run()) for run in site.background]
        for task in before:
            self._end(task)

    def _end(self, task: "asyncio.Task[None]") -> None:
        task.cancel()
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        self.stopping = True
        for listener in self._listeners.values():
            await listener.close()
        for task in self._background:
            self._end(task)
        if self._ending:
            await asyncio.wait(self._ending, timeout=6)
        await self._sources.close()
        for server in self._http.values():
            await server.close()

    async def drain(self, seconds: float) -> None:
        """The lame duck: not ready any more, and still answering."""
        self.stopping = True
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(seconds)
