"""Two nodes with pods and a caller outside, as network namespaces; sockets of this process live in them.

outside ── net (bridge) ─┬─ node1 ── a, b, c (pods)
                         └─ node2 ── d (pod)
"""

import asyncio
import os
import socket
import subprocess
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from weft.cluster.objects.service import Service
from weft.kernel.real import netns
from weft.proxy.model import NodeView
from weft.proxy.objects import EndpointSlice
from weft.proxy.plan import Mode
from weft.proxy.planner import Planner

NODES = {"node1": 1, "node2": 2}
PODS = {"a": ("node1", 5), "b": ("node1", 6), "c": ("node1", 7), "d": ("node2", 5)}
OUTSIDE = {4: "172.30.9.1", 6: "fd00:172:30:9::1"}
POD_RANGES = [ip_network("10.244.0.0/16"), ip_network("fd00:10:244::/56")]
MakeMode = Callable[[str, str], Mode]
"""Namespace and node name → the mode under test."""


def node_address(node: str, version: int = 4) -> str:
    return f"172.30.9.{10 + NODES[node]}" if version == 4 else f"fd00:172:30:9::{10 + NODES[node]}"


def pod_address(pod: str, version: int = 4) -> str:
    node, number = PODS[pod]
    return f"10.244.{NODES[node]}.{number}" if version == 4 else f"fd00:10:244:{NODES[node]}::{number}"


@dataclass
class World:
    prefix: str
    modes: dict[str, Mode] = field(default_factory=dict)
    planners: dict[str, Planner] = field(default_factory=dict)
    slices: dict[str, EndpointSlice] = field(default_factory=dict)
    servers: list[asyncio.AbstractServer | asyncio.DatagramTransport] = field(default_factory=list)
    stale: list[Any] = field(default_factory=list)
    routes: list[tuple[str, str]] = field(default_factory=list)

    sockets: bool = False
    """Whether the mode translates the sockets of pods and nodes, and so not their packets."""

    def ns(self, name: str) -> str:
        return f"{self.prefix}-{name}"

    # The network

    def build(self) -> None:
        for name in ("net", "outside", *NODES, *PODS):
            netns.create(self.ns(name))
            # Nobody else is there: waiting for duplicates of link-local addresses would only delay the first packets.
            self._sysctl(name, ipv6__conf__default__accept_dad="0", ipv6__conf__all__accept_dad="0")
            # A new namespace takes this from the host, and only nodes are routers here.
            self._sysctl(name, ipv4__ip_forward="0", ipv6__conf__all__forwarding="0")
        self._ip("net", "link add wbr0 type bridge", "link set wbr0 up")
        self._join("outside", [f"{OUTSIDE[4]}/24", f"{OUTSIDE[6]}/64"])
        for node in NODES:
            self._join(node, [f"{node_address(node)}/24", f"{node_address(node, 6)}/64"])
            self._node(node)
        for pod in PODS:
            self._pod(pod)

    def _ip(self, name: str, *commands: str) -> None:
        done = subprocess.run(
            ["ip", "-n", self.ns(name), "-batch", "-"], input="\n".join(commands), text=True, capture_output=True
        )
        assert done.returncode == 0, f"{name}: {done.stderr}"

    def _sysctl(self, name: str, **values: str) -> None:
        def write() -> None:
            for key, value in values.items():
                Path("/proc/sys/net", key.replace("__", "/")).write_text(value)

        netns.run_in(self.ns(name), write)

    def _join(self, name: str, addresses: list[str]) -> None:
        self._ip("net", f"link add v-{name} type veth peer name eth0 netns {self.ns(name)}")
        self._ip("net", f"link set v-{name} master wbr0 up")
        self._ip(name, "link set lo up", "link set eth0 up", *(f"addr add {one} dev eth0 nodad" for one in addresses))
        if name == "outside":
            routes = [f"route add {r} via {node_address('node1', r.version)}" for r in POD_RANGES]
            self._ip(name, *routes)

    def _node(self, node: str) -> None:
        self._sysctl(node, ipv4__ip_forward="1", ipv6__conf__all__forwarding="1")
        # A rejection must not go missing because a redirect went to the same caller just before.
        self._sysctl(node, ipv4__icmp_ratelimit="0", ipv6__icmp__ratelimit="0", ipv4__conf__eth0__send_redirects="0")
        number, other = NODES[node], "node2" if node == "node1" else "node1"
        self._ip(
            node,
            "link add cbr0 type bridge",
            "link set cbr0 up",
            f"addr add 10.244.{number}.1/24 dev cbr0",
            f"addr add fd00:10:244:{number}::1/64 dev cbr0 nodad",
            f"route add 10.244.{NODES[other]}.0/24 via {node_address(other)}",
            f"route add fd00:10:244:{NODES[other]}::/64 via {node_address(other, 6)}",
            f"route add default via {OUTSIDE[4]}",
            f"route add default via {OUTSIDE[6]}",
        )
        self._sysctl(node, ipv4__conf__cbr0__send_redirects="0", ipv4__conf__all__send_redirects="0")

    def _pod(self, pod: str) -> None:
        """Pods hold single addresses, so that replies within the node pass it too, and its translation."""
        node, _ = PODS[pod]
        number = NODES[node]
        self._ip(node, f"link add v-{pod} type veth peer name eth0 netns {self.ns(pod)}")
        self._ip(node, f"link set v-{pod} master cbr0 up")
        # Where br_netfilter translates on the bridge, a pod that reaches itself goes out of the port it came in by.
        self._ip(node, f"link set v-{pod} type bridge_slave hairpin on")
        self._ip(
            pod,
            "link set lo up",
            "link set eth0 up",
            f"addr add {pod_address(pod)}/32 dev eth0",
            f"addr add {pod_address(pod, 6)}/128 dev eth0 nodad",
            f"route add 10.244.{number}.1 dev eth0",
            f"route add default via 10.244.{number}.1",
            f"route add fd00:10:244:{number}::1 dev eth0",
            f"route add default via fd00:10:244:{number}::1",
        )

    def route(self, name: str, address: str, *, via: str) -> None:
        """The router of a real network knows where such an address lies; gone after the test."""
        self._ip(name, f"route add {address} via {node_address(via)}")
        self.routes.append((name, address))

    def destroy(self) -> None:
        for name in ("net", "outside", *NODES, *PODS):
            netns.delete(self.ns(name))
        if self.sockets:
            self._make.remove()  # type: ignore[attr-defined]

    # The proxies

    def start(self, make: MakeMode) -> None:
        self._make = make
        self.sockets = hasattr(make, "enter")
        for node in NODES:
            own = tuple(ip_address(node_address(node, version)) for version in (4, 6))
            self.planners[node] = Planner(NodeView(node, addresses=own, port_addresses=own))
            self.modes[node] = make(self.ns(node), node)

    async def told(self, *objects: Service | EndpointSlice, gone: tuple[Service, ...] = ()) -> None:
        """All nodes know of these and have programmed them."""
        self._take(objects, gone)
        self.stale.clear()
        for node, planner in self.planners.items():
            self.stale.append(await self.modes[node].apply(planner.changes()))

    def _take(self, objects: tuple[Service | EndpointSlice, ...], gone: tuple[Service, ...]) -> None:
        for planner in self.planners.values():
            for one in objects:
                if isinstance(one, Service):
                    planner.set_service(one.metadata.key, one)
                else:
                    planner.set_slice(self.slices.get(one.metadata.key), one)
            for service in gone:
                planner.set_service(service.metadata.key, None)
        self.slices.update({one.metadata.key: one for one in objects if isinstance(one, EndpointSlice)})

    async def restart(self, *objects: Service | EndpointSlice, gone: tuple[Service, ...] = ()) -> None:
        """New processes, as it were, which find these changes when they start."""
        for node, mode in self.modes.items():
            mode.close()
            self.modes[node] = self._make(self.ns(node), node)
        self._take(objects, gone)
        await self.begin()

    async def begin(self) -> None:
        for node, planner in self.planners.items():
            await self.modes[node].apply(planner.everything(), complete=True)

    async def reset(self) -> None:
        """No objects, no servers, as after a start."""
        for planner in self.planners.values():
            for key in list(planner.services):
                planner.set_service(key, None)
            for one in self.slices.values():
                planner.set_slice(one, None)
        self.slices.clear()
        for node, planner in self.planners.items():
            await self.modes[node].apply(planner.changes())
        for server in self.servers:
            server.close()
        self.servers.clear()
        for name, address in self.routes:
            self._ip(name, f"route del {address}")
        self.routes.clear()
        await asyncio.sleep(0)

    # Servers and callers

    def open(self, where: str, kind: int = socket.SOCK_STREAM, version: int = 4, protocol: int = 0) -> socket.socket:
        family = socket.AF_INET if version == 4 else socket.AF_INET6

        def inside() -> socket.socket:
            if self.sockets:
                self._make.enter(where)  # type: ignore[attr-defined]
            return socket.socket(family, kind, protocol)

        made = netns.run_in(self.ns(where), inside)
        made.setblocking(False)
        return made

    def _bound(self, where: str, port: int, kind: int, version: int, protocol: int = 0) -> socket.socket:
        made = self.open(where, kind, version, protocol)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if version == 6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(("", port))
        return made

    async def serve(self, where: str, port: int = 8080, version: int = 4) -> None:
        """Answers each line with `name caller`, where caller is the address that the server sees."""

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            caller = writer.get_extra_info("peername")[0]
            while await reader.readline():
                writer.write(f"{where} {caller}\n".encode())
            writer.close()

        made = self._bound(where, port, socket.SOCK_STREAM, version)
        self.servers.append(await asyncio.start_server(answer, sock=made))

    async def serve_udp(self, where: str, port: int = 8080, version: int = 4) -> None:
        class Answer(asyncio.DatagramProtocol):
            def connection_made(self, transport: Any) -> None:
                self.transport = transport

            def datagram_received(self, data: bytes, caller: Any) -> None:
                self.transport.sendto(f"{where} {caller[0]}\n".encode(), caller)

        made = self._bound(where, port, socket.SOCK_DGRAM, version)
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Answer, sock=made)
        self.servers.append(transport)

    async def connect(self, where: str, address: str, port: int = 80, protocol: int = 0) -> "Connection":
        made = self.open(where, version=ip_address(address).version, protocol=protocol)
        try:
            await asyncio.wait_for(asyncio.get_running_loop().sock_connect(made, (address, port)), 1)
        except BaseException:
            made.close()
            raise
        return Connection(made)

    async def ask(self, where: str, address: str, port: int = 80) -> tuple[str, str]:
        """Who answers, and as whom it sees the caller. Raises ConnectionRefusedError or TimeoutError."""
        connection = await self.connect(where, address, port)
        try:
            return await connection.ask()
        finally:
            connection.close()

    async def ask_udp(self, where: str, address: str, port: int = 80, *, timeout: float = 1) -> tuple[str, str]:
        made = self.open(where, socket.SOCK_DGRAM, ip_address(address).version)
        try:
            made.connect((address, port))
            return await self.ask_again(made, timeout=timeout)
        finally:
            made.close()

    async def ask_again(self, made: socket.socket, *, timeout: float = 1) -> tuple[str, str]:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(made, b"?\n")
        name, _, caller = (await asyncio.wait_for(loop.sock_recv(made, 100), timeout)).decode().strip().partition(" ")
        return name, caller

    async def answers(self, where: str, address: str, port: int = 80, *, calls: int = 40) -> Counter[str]:
        return await tally(lambda: self.ask(where, address, port), calls)


async def tally(call: Callable[[], Awaitable[tuple[str, str]]], calls: int) -> Counter[str]:
    """How often each server answers."""
    found: Counter[str] = Counter()
    for _ in range(calls):
        found[(await call())[0]] += 1
    return found


@dataclass
class Connection:
    socket: socket.socket

    async def ask(self) -> tuple[str, str]:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self.socket, b"?\n")
        name, _, caller = (await asyncio.wait_for(loop.sock_recv(self.socket, 100), 1)).decode().strip().partition(" ")
        return name, caller

    def close(self) -> None:
        self.socket.close()


def unique(word: str) -> str:
    return f"wt-{word}-{os.getpid()}"
