"""Streams through the server to a kubelet that is a few lines long: logs, upgrades byte for byte, proxies, errors."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.apiserver.server import PODS, Server, pod

from weft.apiserver.proxy import target
from weft.apiserver.proxy.forward import headers_for_backend
from weft.apiserver.storage.store import key_of
from weft.cluster.errors import ApiError


class Kubelet:
    """Answers upgrades with an echo in capitals, everything else with what it was asked."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.port = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = listener.sockets[0].getsockname()[1]
        yield
        listener.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.seen.append(head)
            if "Upgrade: SPDY/3.1" in head:
                writer.write(
                    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\nhello "
                )
                while data := await reader.read(1 << 16):
                    writer.write(data.upper())
                    if data.endswith(b"bye"):
                        break
                await writer.drain()
            elif "/refuse" in head or "tailLines=77" in head:
                writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 9\r\nConnection: close\r\n\r\nnot today")
            else:
                text = head.splitlines()[0].encode()
                writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nLocation: /else\r\n\r\n")
                for part in (text, b"|end"):
                    writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
                writer.write(b"0\r\n\r\n")
            await writer.drain()
        finally:
            writer.close()


@pytest.fixture
async def kubelet(server: Server, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Kubelet]:
    """A pod p on node n1, whose kubelet speaks plain HTTP here."""
    running = Kubelet()
    async with running.running():
        monkeypatch.setattr(target.Target, "__init__", _plain(target.Target.__init__))
        monkeypatch.setattr(target, "_allowed", lambda address: True)
        addresses = [{"type": "InternalIP", "address": "127.0.0.1"}]
        endpoint = {"kubeletEndpoint": {"Port": running.port}}
        await server.made("/api/v1/nodes", {"metadata": {"name": "n1"}})
        status = {"addresses": addresses, "daemonEndpoints": endpoint}
        assert (await server.patch("/api/v1/nodes/n1/status", {"status": status})).code == 200
        await server.made(PODS, pod("p", "n1"))
        await server.patch(f"{PODS}/p/status", {"status": {"podIP": "127.0.0.1"}})
        yield running


def _plain(original: Any) -> Any:
    def made(self: Any, host: str, port: int, path: str, tls: bool = True, kubelet: bool = True) -> None:
        original(self, host, port, path, False, kubelet)

    return made


async def raw(server: Server, head: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    port = int(server.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head.replace("\n", "\r\n").encode() + b"\r\n\r\n")
    return reader, writer


UPGRADE = "Host: x\nAuthorization: \nConnection: Upgrade\nUpgrade: SPDY/3.1\nContent-Length: 0"


async def test_an_upgraded_connection_is_spliced(server: Server, kubelet: Kubelet) -> None:
    path = f"{PODS}/p/exec?command=sh&command=-c&stdin=true&stdout=true&tty=true"
    reader, writer = await raw(server, f"POST {path} HTTP/1.1\n{UPGRADE}")
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101")
    assert await reader.readexactly(6) == b"hello "
    big = b"x" * 1_000_000
    writer.write(big)
    assert await reader.readexactly(len(big)) == big.upper()
    writer.write(b"bye")
    assert await reader.read() == b"BYE"
    writer.close()
    asked = kubelet.seen[0].splitlines()[0]
    assert asked == "POST /exec/default/p/c?input=1&output=1&tty=1&command=sh&command=-c HTTP/1.1"
    assert "Authorization" not in kubelet.seen[0]


async def test_a_client_that_hangs_up_ends_the_stream(server: Server, kubelet: Kubelet) -> None:
    reader, writer = await raw(server, f"POST {PODS}/p/portforward?ports=80 HTTP/1.1\n{UPGRADE}")
    await reader.readuntil(b"hello ")
    writer.close()
    await asyncio.sleep(0.1)
    assert kubelet.seen[0].startswith("POST /portForward/default/p?port=80 HTTP/1.1")
    assert (await server.get("/healthz")).code == 200


async def test_what_is_no_upgrade_is_refused(server: Server, kubelet: Kubelet) -> None:
    reply = await server.post(f"{PODS}/p/exec?command=ls", b"")
    assert reply.code == 400 and reply.json["message"] == "Upgrade request required"
    bob = await server.get(f"{PODS}/p/exec", Impersonate_User="bob")
    assert bob.code == 403


async def test_logs(server: Server, kubelet: Kubelet) -> None:
    reply = await server.get(f"{PODS}/p/log?tailLines=3&follow=true&timestamps=true")
    assert reply.code == 200 and reply.headers["Content-Type"] == "text/plain"
    assert reply.body == (
        b"GET /containerLogs/default/p/c?follow=true&timestamps=true&tailLines=3&stream=All HTTP/1.1|end"
    )
    refused = await server.get(f"{PODS}/p/log?tailLines=77")
    assert (refused.code, refused.json["reason"], refused.json["message"]) == (400, "BadRequest", "not today")
    other = await server.get(f"{PODS}/p/log?container=nope")
    assert other.json["message"] == "container nope is not valid for pod p"
    negative = await server.get(f"{PODS}/p/log?sinceSeconds=0")
    assert negative.code == 422 and "must be greater than 0" in negative.json["message"]
    await server.made(PODS, pod("unplaced"))
    assert (await server.get(f"{PODS}/unplaced/log")).body == b""


async def test_a_kubelet_that_is_away(server: Server, kubelet: Kubelet) -> None:
    endpoint = {"status": {"daemonEndpoints": {"kubeletEndpoint": {"Port": 1}}}}
    await server.patch("/api/v1/nodes/n1/status", endpoint)
    for reply in (
        await server.get(f"{PODS}/p/log"),
        await server.call("POST", f"{PODS}/p/exec?command=ls", Connection="Upgrade", Upgrade="SPDY/3.1"),
    ):
        assert reply.code == 500
        assert reply.json["message"] == "error dialing backend: dial tcp 127.0.0.1:1: connect: connection refused"
    nowhere = await server.call("POST", f"{PODS}/unknown/exec", Connection="Upgrade", Upgrade="SPDY/3.1")
    assert nowhere.code == 404


async def test_proxies(server: Server, kubelet: Kubelet) -> None:
    node = await server.get("/api/v1/nodes/n1/proxy/stats/sum%2Fmary?a=b%20c")
    assert node.body == b"GET /stats/sum%2Fmary?a=b%20c HTTP/1.1|end"
    assert node.headers["Location"] == "/api/v1/nodes/n1/proxy/else"
    there = await server.get(f"{PODS}/p:{kubelet.port}/proxy/x/")
    assert there.body == b"GET /x/ HTTP/1.1|end"
    subsets = [{"addresses": [{"ip": "127.0.0.1"}], "ports": [{"name": "web", "port": kubelet.port}]}]
    endpoints = {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "s", "namespace": "default"}}
    server.store.put("endpoints", key_of("default", "s"), {**endpoints, "subsets": subsets})  # loopback is refused
    service = "/api/v1/namespaces/default/services/s:web/proxy"
    assert (await server.get(f"{service}/")).body == b"GET / HTTP/1.1|end"
    assert (await server.get(f"{service}/refuse")).code == 400
    nobody = await server.get("/api/v1/namespaces/default/services/s:other/proxy/")
    assert nobody.code == 503
    assert nobody.json["message"] == 'no endpoints available for service "s:other"'


def test_credentials_stay_here() -> None:
    headers = [(b"Authorization", b"x"), (b"Impersonate-User", b"y"), (b"Connection", b"Upgrade"), (b"X", b"1")]
    assert headers_for_backend(headers, upgrade=False) == [(b"X", b"1")]
    assert headers_for_backend(headers, upgrade=True) == [(b"Connection", b"Upgrade"), (b"X", b"1")]


def test_names_of_proxied_things() -> None:
    assert target.split("a", "pod") == ("", "a", "")
    assert target.split("https:a:8443", "pod") == ("https", "a", "8443")
    for bad in ("", "ftp:a:1", "a:b:c:d"):
        with pytest.raises(ApiError, match="invalid pod request"):
            target.split(bad, "pod")
