"""Sockets: pipelining, floods of nonsense, reloads that lose nothing, ports in use."""

import asyncio
import socket

import dns.query
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.dns.conftest import KUBERNETES, World

import dns.message
from weft.dns.message import names
from weft.dns.message.upstream import ask
from weft.dns.server.prepared import Entry, Prepared

WEB = names.from_text("web.default.svc.cluster.local")


async def exchange(port: int, packet: bytes, timeout: float = 0.3) -> bytes | None:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        await loop.sock_connect(sock, ("127.0.0.1", port))
        await loop.sock_sendall(sock, packet)
        try:
            return await asyncio.wait_for(loop.sock_recv(sock, 4096), timeout)
        except TimeoutError:
            return None


async def test_many_questions_in_one_stream(cluster: World):
    reader, writer = await asyncio.open_connection("127.0.0.1", cluster.port)
    packets = [ask(number, WEB, 1) for number in range(300)]
    data = b"".join(len(packet).to_bytes(2, "big") + packet for packet in packets)
    for start in range(0, len(data), 1000):
        writer.write(data[start : start + 1000])
        await writer.drain()
    seen = set()
    for _ in packets:
        size = int.from_bytes(await reader.readexactly(2), "big")
        reply = await reader.readexactly(size)
        seen.add(int.from_bytes(reply[:2], "big"))
    assert seen == set(range(300))
    writer.write(b"\0\3abc")
    assert await reader.read() == b""  # nonsense ends the connection
    writer.close()


async def test_nonsense_is_answered_shortly_or_not_at_all(cluster: World):
    good = ask(1, WEB, 1, dnssec_ok=False)
    for packet in (b"", b"\0", b"\0" * 11, b"\xff" * 500, good[:-3], good + b"x" * 600, good[:2] + b"\x81" + good[3:]):
        reply = await exchange(cluster.port, packet, 0.05)
        assert reply is None or len(reply) <= max(len(packet), 200)
    assert await cluster.short("web.default.svc.cluster.local") == ["10.96.0.20"]


async def test_other_classes_and_versions(cluster: World):
    assert await cluster.status("version.bind", "TXT", "CH") == "REFUSED"
    assert await cluster.status("web.default.svc.cluster.local", "+edns=1", "+noednsneg") == "BADVERS"
    assert await cluster.status("web.default.svc.cluster.local", "+opcode=4") == "NOTIMP"
    assert await cluster.status("cluster.local", "AXFR", "+notcp") in ("REFUSED", "")


async def test_cookies_do_not_fill_the_table(cluster: World):
    for _ in range(3):
        await cluster.dig("web.default.svc.cluster.local", "+cookie")
    (table,) = next(iter(cluster.server._listeners.values())).front.tables
    assert len(table.entries) == 0
    await cluster.dig("web.default.svc.cluster.local", "+nocookie")
    await cluster.dig("web.default.svc.cluster.local", "+noedns")
    assert len(table.entries) == 2


@pytest.mark.parametrize("turns", [50, pytest.param(1000, marks=pytest.mark.scale)])
async def test_reloads_lose_no_query(cluster: World, turns: int):
    lost = asked = 0
    done = asyncio.Event()

    async def client() -> None:
        nonlocal lost, asked
        while not done.is_set():
            asked += 1
            reply = await exchange(cluster.port, ask(asked & 0xFFFF, WEB, 1), 2)
            lost += reply is None or reply[6:8] == b"\0\0"

    clients = [asyncio.create_task(client()) for _ in range(4)]
    for turn in range(turns):
        await cluster.reload(KUBERNETES.replace("ttl 30", f"ttl {turn % 25 + 1}"))
        await asyncio.sleep(0.002)
    done.set()
    await asyncio.gather(*clients)
    assert asked > 50
    assert lost == 0
    assert " 25 IN A" in " ".join((await cluster.dig("web.default.svc.cluster.local")).split())


async def test_a_broken_corefile_changes_nothing(cluster: World):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for text, problem in (
            (". {\n oops\n}", "there is no such plugin"),
            (KUBERNETES.replace("errors", f"health 127.0.0.1:{port}"), "is another server running"),
            (KUBERNETES.replace("PORT", str(port)), "Address already in use"),
            (KUBERNETES + f"other.test:{port} {{\n bind 127.0.0.1\n}}\n", "stop the other server"),
        ):
            with pytest.raises(ValueError, match=problem) as caught:
                await cluster.reload(text)
            assert "\n" not in str(caught.value)
            assert await cluster.short("web.default.svc.cluster.local") == ["10.96.0.20"]


async def test_addresses_come_and_go_with_the_corefile(cluster: World):
    from tests.dns.conftest import dig, free_port

    other = free_port()
    more = KUBERNETES + f"other.test:{other} {{\n bind 127.0.0.1\n hosts {{\n 192.0.2.1 other.test\n }}\n}}\n"
    await cluster.reload(more)
    assert (await dig(other, "+short", "other.test")).split() == ["192.0.2.1"]
    assert "REFUSED" in await dig(other, "web.default.svc.cluster.local")
    await cluster.reload(KUBERNETES)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", other))


async def test_the_longest_zone_answers(world: World):
    hosts = "{zone}:PORT {{\n bind 127.0.0.1\n hosts /dev/null {{\n {ip} a.b.test\n }}\n}}\n"
    blocks = [
        hosts.format(zone=zone, ip=ip)
        for zone, ip in ((".", "192.0.2.1"), ("b.test", "192.0.2.2"), ("test", "192.0.2.3"))
    ]
    await world.start("".join(blocks))
    assert await world.short("a.b.test") == ["192.0.2.2"]
    assert await world.status("a.c.test") == "NXDOMAIN"


async def test_both_families_and_the_address_that_was_asked(world: World):
    """The reply comes from where the question went: here one of many addresses of loopback."""
    await world.start(".:PORT {\n hosts /dev/null {\n 192.0.2.1 a.test\n }\n}\n")
    query = dns.message.make_query("a.test", "A")
    for address in ("127.0.0.1", "127.0.0.77", "::1"):
        for _ in range(2):
            reply = await asyncio.to_thread(dns.query.udp, query, address, 2, world.port)
            assert reply.answer[0][0].to_text() == "192.0.2.1"
        reply = await asyncio.to_thread(dns.query.tcp, query, address, 2, world.port)
        assert reply.answer[0][0].to_text() == "192.0.2.1"


keys = st.integers(0, 5).map(lambda n: bytes((n,)))
tags = st.lists(st.sampled_from("abc"), max_size=2).map(tuple)


@given(st.lists(st.one_of(st.tuples(st.just("put"), keys, tags), st.tuples(st.just("changed"), tags)), max_size=30))
@settings(max_examples=50, deadline=None)
def test_the_table_of_prepared_answers(steps):
    """It holds what a plain dictionary would, never more than its capacity, and forgets by tag."""
    counted: list[Entry] = []
    table = Prepared(counted.append, capacity=3)
    model: dict[bytes, tuple[str, ...]] = {}
    for step in steps:
        if step[0] == "put":
            _, key, of = step
            model.pop(key, None) or (len(model) == 3 and model.pop(next(iter(model))))
            model[key] = tuple(dict.fromkeys(of))
            table.put(key, Entry([b"x"], 1.0, of, (), 0))
        else:
            model = {key: of for key, of in model.items() if not set(of) & set(step[1])}
            table.changed(step[1])
        assert {key: entry.tags for key, entry in table.entries.items()} == model
    table.clear()
    assert not table.entries and not table._by_tag
