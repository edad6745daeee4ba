"""A DNS server in this process, on a free loopback port, over a fake cluster; and the clients that ask it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from weft.cluster.fake import FakeCluster
from weft.cluster.objects.resource import ENDPOINT_SLICES, NAMESPACES, PODS, SERVICES
from weft.dns.loader import Loader
from weft.dns.server.server import Server


def free_port() -> int:
    """A port that is free for UDP and TCP."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind(("127.0.0.1", 0))
            try:
                tcp.bind(("127.0.0.1", udp.getsockname()[1]))
            except OSError:
                continue
            return int(udp.getsockname()[1])


async def dig(port: int, *words: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "dig", "@127.0.0.1", "-p", str(port), "+tries=1", "+time=5", *words, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return out.decode()


class World:
    """A fake cluster, filled with few words, and a server for it."""

    def __init__(self, folder: Path) -> None:
        self.cluster = FakeCluster()
        self.port = free_port()
        self.folder = folder
        self.loader = Loader(str(folder / "Corefile"), self.port)
        self.server: Server | None = None

    def write(self, corefile: str) -> None:
        (self.folder / "Corefile").write_text(corefile.replace("PORT", str(self.port)))

    async def start(self, corefile: str) -> None:
        self.write(corefile)
        # Reflectors close what they are given; the fake has nothing to close.
        self.server = Server(lambda kubeconfig, context: lambda: self.cluster, local_addresses=("10.244.1.9",))
        await self.server.apply(self.loader.load())

    async def reload(self, corefile: str) -> None:
        self.write(corefile)
        assert self.server
        await self.server.apply(self.loader.load())

    async def dig(self, *words: str) -> str:
        return await dig(self.port, *words)

    async def short(self, *words: str) -> list[str]:
        return (await self.dig("+short", *words)).splitlines()

    async def status(self, *words: str) -> str:
        out = await self.dig(*words)
        return out.partition("status: ")[2].partition(",")[0]

    def namespace(self, name: str) -> None:
        self.cluster.put(NAMESPACES, {"metadata": {"name": name}})

    def service(self, key: str, ip: str | list[str] = "10.96.0.20", *ports: str, **spec: Any) -> None:
        """`ports` such as "http:80/TCP"; a service without any is one without ports."""
        namespace, name = key.split("/")
        ips = [ip] if isinstance(ip, str) else ip
        spec = {"clusterIP": ips[0], "clusterIPs": ips, "type": "ClusterIP", **spec}
        spec["ports"] = [_port(text) for text in ports]
        self.cluster.put(SERVICES, {"metadata": {"name": name, "namespace": namespace}, "spec": spec})

    def slice(self, key: str, *endpoints: str | dict[str, Any], ports: tuple[str, ...] = ("http:8080/TCP",)) -> None:
        """Of the Service `key`; `key` may end in `#2` to name another slice of the same."""
        namespace, name = key.partition("#")[0].split("/")
        made = [{"addresses": [e], "conditions": {"ready": True}} if isinstance(e, str) else e for e in endpoints]
        meta = {"name": key.split("/")[1].replace("#", "-"), "namespace": namespace}
        meta["labels"] = {"kubernetes.io/service-name": name}  # type: ignore[assignment]
        slice_ = {"metadata": meta, "addressType": "IPv4", "endpoints": made, "ports": [_port(text) for text in ports]}
        self.cluster.put(ENDPOINT_SLICES, slice_)

    def pod(self, key: str, *ips: str) -> None:
        namespace, name = key.split("/")
        status = {"podIPs": [{"ip": ip} for ip in ips], "phase": "Running"}
        self.cluster.put(PODS, {"metadata": {"name": name, "namespace": namespace}, "status": status})

    async def settle(self) -> None:
        """Lets the watches tell what was put."""
        for _ in range(10):
            await asyncio.sleep(0)


def _port(text: str) -> dict[str, Any]:
    name, _, rest = text.partition(":")
    number, _, protocol = rest.partition("/")
    return {"name": name, "port": int(number), "protocol": protocol or "TCP"}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    if made.server:
        await made.server.close()


KUBERNETES = """
.:PORT {
    bind 127.0.0.1
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        ttl 30
    }
    cache 30
    loadbalance
}
"""


@pytest.fixture
async def cluster(world: World) -> World:
    """The objects that most tests ask for, served with kubeadm's settings."""
    world.namespace("default")
    world.namespace("kube-system")
    world.service("default/web", "10.96.0.20", "http:80/TCP", "dns:53/UDP")
    world.slice("default/web", "10.244.1.5", "10.244.2.5")
    world.service("default/dual", ["10.96.0.21", "fd00:10:96::21"], "http:80/TCP")
    world.service("default/db", "None", "pg:5432/TCP")
    world.slice(
        "default/db",
        {"addresses": ["10.244.1.6"], "hostname": "db-0", "conditions": {"ready": True}},
        {"addresses": ["10.244.2.6"]},
        {"addresses": ["10.244.3.6"], "conditions": {"ready": False}},
        ports=("pg:5432/TCP",),
    )
    world.service("default/bare", "10.96.0.22")
    world.service("default/out", "", type="ExternalName", externalName="web.default.svc.cluster.local")
    world.service("default/away", "", type="ExternalName", externalName="www.example.test")
    world.service("kube-system/kube-dns", "10.96.0.10", "dns:53/UDP", "dns-tcp:53/TCP")
    world.slice("kube-system/kube-dns", "10.244.1.9", ports=("dns:53/UDP",))
    await world.start(KUBERNETES)
    return world


class Upstream:
    """A name server on loopback that answers as it is told, and counts what it is asked."""

    def __init__(self) -> None:
        self.port = free_port()
        self.asked: list[bytes] = []
        self.answer: Callable[[bytes, str], bytes | None] = lambda packet, transport: None
        self._close: list[Callable[[], Any]] = []

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        upstream = self

        class Udp(asyncio.DatagramProtocol):
            def connection_made(self, transport: Any) -> None:
                self.transport = transport

            def datagram_received(self, data: bytes, addr: Any) -> None:
                upstream.asked.append(data)
                if reply := upstream.answer(data, "udp"):
                    self.transport.sendto(reply, addr)

        async def tcp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            size = int.from_bytes(await reader.readexactly(2), "big")
            data = await reader.readexactly(size)
            upstream.asked.append(data)
            if reply := upstream.answer(data, "tcp"):
                writer.write(len(reply).to_bytes(2, "big") + reply)
                await writer.drain()
            writer.close()

        transport, _ = await loop.create_datagram_endpoint(Udp, local_addr=("127.0.0.1", self.port))
        server = await asyncio.start_server(tcp, "127.0.0.1", self.port)
        self._close = [transport.close, server.close]

    def close(self) -> None:
        for close in self._close:
            close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Upstream servers get a tenth of the time."""
    monkeypatch.setattr("weft.dns.plugins.forward.exchange.READ_TIMEOUT", 0.2)


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    made = Upstream()
    await made.start()
    yield made
    made.close()
