"""The gateway's pure parts, fuzzed, and its three services over loopback."""

import asyncio
import struct
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from weft.lab.gateway.names import NameRelay, resolvers, servfail
from weft.lab.gateway.tunnel import connect_target, serve_tunnel


@given(st.binary(max_size=300))
def test_any_datagram_gets_a_short_answer_or_none(query: bytes) -> None:
    reply = servfail(query)
    assert len(reply) <= len(query) + 5
    if len(query) >= 12:
        assert reply[:2] == query[:2]
        assert struct.unpack("!H", reply[2:4])[0] & 0x800F == 0x8002


def test_resolvers_are_the_first_three() -> None:
    lines = ["search a b", "nameserver 10.0.0.1", "#nameserver 9.9.9.9", "nameserver", "nameserver ::1"]
    lines += ["nameserver 1.1.1.1", "nameserver 8.8.8.8"]
    assert resolvers("\n".join(lines)) == ("10.0.0.1", "::1", "1.1.1.1")


@given(st.binary(max_size=200))
def test_only_connect_requests_have_a_target(head: bytes) -> None:
    target = connect_target(head)
    assert target is None or (head.startswith(b"CONNECT ") and 0 < target[1] < 65536)


def test_connect_targets() -> None:
    assert connect_target(b"CONNECT registry-1.docker.io:443 HTTP/1.1\r\n\r\n") == ("registry-1.docker.io", 443)
    assert connect_target(b"CONNECT [::1]:443 HTTP/1.1\r\n\r\n") == ("::1", 443)
    assert connect_target(b"GET http://x/ HTTP/1.1\r\n\r\n") is None
    assert connect_target(b"CONNECT x:0 HTTP/1.1\r\n\r\n") is None


async def test_the_tunnel_carries_bytes_both_ways_and_says_what_it_cannot_reach(tmp_path: Path) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readexactly(5)).upper())
        await writer.drain()
        writer.close()

    behind = await asyncio.start_server(echo, "127.0.0.1", 0)
    tunnel = await asyncio.start_server(serve_tunnel, "127.0.0.1", 0)
    async with behind, tunnel:
        port = tunnel.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"CONNECT 127.0.0.1:{behind.sockets[0].getsockname()[1]} HTTP/1.1\r\n\r\n".encode())
        assert b"200" in await reader.readuntil(b"\r\n\r\n")
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"HELLO"
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"CONNECT 127.0.0.1:1 HTTP/1.1\r\n\r\n")
        assert b"502 cannot reach 127.0.0.1" in await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()


class _Upper(asyncio.DatagramProtocol):
    """A resolver that answers each query with its body in upper case."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.transport.sendto(data[:2] + data[2:].upper(), addr)  # type: ignore[attr-defined]


async def test_queries_are_relayed_to_the_hosts_resolver(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    upstream, _ = await loop.create_datagram_endpoint(_Upper, local_addr=("127.0.0.1", 0))
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    relay = NameRelay(tmp_path / "resolv.conf", upstream.get_extra_info("sockname")[1])
    served, _ = await loop.create_datagram_endpoint(lambda: relay, local_addr=("127.0.0.1", 0))
    replies: asyncio.Queue[bytes] = asyncio.Queue()

    class Client(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            replies.put_nowait(data)

    client, _ = await loop.create_datagram_endpoint(Client, remote_addr=served.get_extra_info("sockname"))
    client.sendto(b"idlowercase-query")
    assert await asyncio.wait_for(replies.get(), 5) == b"idLOWERCASE-QUERY"
    (tmp_path / "resolv.conf").write_text("")
    query = b"id\x01\x00\x00\x01" + bytes(6) + b"\x01a\x00\x00\x01\x00\x01"
    client.sendto(query)
    assert await asyncio.wait_for(replies.get(), 5) == servfail(query)
    for transport in (upstream, served, client):
        transport.close()
