"""Forwarding and the cache, against name servers on loopback that do as they are told."""

import asyncio
import time

import dns.rrset
import pytest
from tests.dns.conftest import Upstream, free_port

import dns.message
from weft.dns.corefile import CorefileError, parse
from weft.dns.plugins.forward.plugin import PLUGIN
from weft.dns.plugins.forward.setup import endpoint, name_servers

FORWARD = ".:PORT {{\n bind 127.0.0.1\n prometheus 127.0.0.1:0\n errors\n {}\n}}\n"


def reply(packet: bytes, *rrsets: str, rcode: int = 0, soa: int = 0, truncated: bool = False) -> bytes:
    query = dns.message.from_wire(packet)
    made = dns.message.make_response(query, recursion_available=True)
    made.set_rcode(rcode)
    for text in rrsets:
        type_, value = text.split()
        made.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", type_, value))
    if soa:
        made.authority.append(dns.rrset.from_text("test.", soa, "IN", "SOA", f"ns.test. h.test. 1 2 3 4 {soa}"))
    if truncated:
        made.flags |= dns.flags.TC
        made.answer.clear()
    return made.to_wire()


async def test_asks_the_upstream_and_keeps_what_it_said(world, upstream):
    upstream.answer = lambda packet, transport: reply(packet, "A 192.0.2.1")
    await world.start(FORWARD.format(f"forward . 127.0.0.1:{upstream.port}\n cache 30"))
    out = await world.dig("a.test")
    assert "flags: qr rd ra" in out
    assert " 30 IN A 192.0.2.1" in " ".join(out.split())
    for _ in range(3):
        assert await world.short("A.test", "+noedns") == ["192.0.2.1"]
    assert len(upstream.asked) == 1
    metrics = world.server.metrics.expose().decode()
    assert 'coredns_cache_hits_total{server="dns://:' in metrics
    assert (
        f'coredns_proxy_request_duration_seconds_count{{proxy_name="forward",to="127.0.0.1:{upstream.port}"' in metrics
    )


async def test_a_kept_answer_grows_old(world, upstream):
    upstream.answer = lambda packet, transport: reply(packet, "A 192.0.2.1")
    await world.start(FORWARD.format(f"forward . 127.0.0.1:{upstream.port}\n cache"))
    await world.short("a.test")
    await asyncio.sleep(1.1)
    ttl = int((await world.dig("a.test", "+noall", "+answer")).split()[1])
    assert ttl in (58, 59)
    assert len(upstream.asked) == 1


@pytest.mark.parametrize(("rcode", "status"), [(3, "NXDOMAIN"), (0, "NOERROR"), (2, "SERVFAIL")])
async def test_denials_and_failures_are_kept(world, upstream, rcode, status):
    upstream.answer = lambda packet, transport: reply(packet, rcode=rcode, soa=0 if rcode == 2 else 20)
    await world.start(FORWARD.format(f"forward . 127.0.0.1:{upstream.port}\n cache 30"))
    assert [await world.status("no.test") for _ in range(3)] == [status] * 3
    assert len(upstream.asked) == 1


async def test_without_a_cache_every_query_is_asked(world, upstream):
    upstream.answer = lambda packet, transport: reply(packet, "A 192.0.2.1")
    await world.start(FORWARD.format(f"forward . 127.0.0.1:{upstream.port}"))
    assert [await world.short("a.test") for _ in range(2)] == [["192.0.2.1"]] * 2
    assert len(upstream.asked) == 2


async def test_the_same_question_at_once_is_asked_once(world, upstream, impatient):
    first: list[float] = []

    def answer(packet: bytes, transport: str) -> bytes | None:
        first.append(time.monotonic())
        return reply(packet, "A 192.0.2.1") if len(first) > 1 else None

    upstream.answer = answer
    await world.start(FORWARD.format(f"forward . 127.0.0.1:{upstream.port}\n cache"))
    got = await asyncio.gather(*(world.short("a.test") for _ in range(5)))
    assert got == [["192.0.2.1"]] * 5
    assert len(upstream.asked) <= 3  # the first, a look at its health, and the second


async def test_tcp_where_udp_is_too_small(world, upstream):
    upstream.answer = lambda packet, transport: reply(packet, "A 192.0.2.1", truncated=transport == "udp")
    await world.start(FORWARD.format(f"forward . 127.0.0.1:{upstream.port}"))
    assert await world.short("a.test") == ["192.0.2.1"]


async def test_force_tcp(world, upstream):
    upstream.answer = lambda packet, transport: reply(packet, "A 192.0.2.1") if transport == "tcp" else None
    await world.start(FORWARD.format(f"forward . 127.0.0.1:{upstream.port} {{\n force_tcp\n }}"))
    assert await world.short("a.test") == ["192.0.2.1"]


async def test_another_upstream_takes_over(world, upstream):
    upstream.answer = lambda packet, transport: reply(packet, "A 192.0.2.1")
    lines = f"forward . 127.0.0.1:{free_port()} 127.0.0.1:{upstream.port} {{\n policy sequential\n }}"
    await world.start(FORWARD.format(lines))
    begun = time.monotonic()
    assert await world.short("a.test") == ["192.0.2.1"]
    assert time.monotonic() - begun < 1  # a closed port is known at once


async def test_nobody_answers(world, caplog):
    await world.start(FORWARD.format(f"forward . 127.0.0.1:{free_port()}"))
    assert await world.status("a.test") == "SERVFAIL"
    assert "SERVFAIL a.test. A: 127.0.0.1:" in caplog.text
    assert "Connection refused" in caplog.text


async def test_replies_to_other_questions_are_ignored(world, upstream, impatient):
    def answer(packet: bytes, transport: str) -> bytes:
        forged = dns.message.make_query("evil.test", "A")
        forged.id = int.from_bytes(packet[:2], "big")
        return reply(forged.to_wire(), "A 203.0.113.1")

    upstream.answer = answer
    await world.start(FORWARD.format(f"forward . 127.0.0.1:{upstream.port}"))
    assert await world.status("a.test", "+time=6") == "SERVFAIL"


async def test_too_many_at_once(world, upstream):
    await world.start(FORWARD.format(f"forward . 127.0.0.1:{upstream.port} {{\n max_concurrent 1\n }}"))
    stuck = asyncio.create_task(world.status("a.test", "+time=1"))
    while not upstream.asked:
        await asyncio.sleep(0.01)
    assert await world.status("b.test") == "REFUSED"
    upstream.answer = lambda packet, transport: reply(packet, "A 192.0.2.1")
    await stuck


async def test_round_robin_and_zones(world, upstream):
    other = Upstream()
    await other.start()
    upstream.answer = lambda packet, transport: reply(packet, "A 192.0.2.1")
    other.answer = lambda packet, transport: reply(packet, "A 192.0.2.2")
    targets = f"127.0.0.1:{upstream.port} 127.0.0.1:{other.port}"
    await world.start(FORWARD.format(f"forward in.test {targets} {{\n policy round_robin\n except no.in.test\n }}"))
    got = {tuple(await world.short("a.in.test")) for _ in range(4)}
    assert got == {("192.0.2.1",), ("192.0.2.2",)}
    assert await world.status("x.no.in.test") == "SERVFAIL"
    assert await world.status("a.test") == "SERVFAIL"
    other.close()


def test_endpoints():
    assert endpoint("10.0.0.1") == ("10.0.0.1", 53)
    assert endpoint("dns://10.0.0.1:54") == ("10.0.0.1", 54)
    assert endpoint("fd00::1") == ("fd00::1", 53)
    assert endpoint("[fd00::1]:54") == ("fd00::1", 54)
    text = "search a\nnameserver 10.0.0.1\n# nameserver 9\nnameserver fd00::1\nnameserver nonsense\n"
    assert name_servers(text) == [("10.0.0.1", 53), ("fd00::1", 53)]


def config(line: str, *block: str) -> object:
    (made,) = parse(". {{\n{}{}\n}}".format(line, " {\n" + "\n".join(block) + "\n}" if block else ""))
    return PLUGIN.parse(made.directives[0], made)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("forward .",), "Corefile:2: forward: names no upstream"),
        (("forward . tls://9.9.9.9",), "Corefile:2: forward: 'tls://9.9.9.9': tls is not spoken here"),
        (("forward . dns.example",), "Corefile:2: forward: 'dns.example' is neither an address nor the path of a file"),
        (("forward . 10.0.0.1:x",), "Corefile:2: forward: '10.0.0.1:x': 'x' is not a port"),
        (("forward . 10.0.0.1", "policy best"), "Corefile:3: policy: 'best' is not possible"),
        (("forward . 10.0.0.1", "tls"), "Corefile:3: tls: unknown property (use except,"),
        (("forward . 10.0.0.1", "max_fails many"), "Corefile:3: max_fails: 'many' is not a number"),
        (("forward . 10.0.0.1", "health_check 1s rec"), "Corefile:3: health_check: unexpected argument 'rec'"),
    ],
)
def test_bad_settings(words, problem):
    with pytest.raises(CorefileError) as caught:
        config(*words)
    assert str(caught.value).startswith(problem)


async def test_a_file_without_name_servers(world, tmp_path, caplog):
    """A laptop without a network: the cluster's names must go on."""
    (tmp_path / "resolv.conf").write_text("search a\n")
    await world.start(FORWARD.format(f"forward . {tmp_path}/resolv.conf"))
    assert "names no nameserver, so SERVFAIL is the answer" in caplog.text
    assert await world.status("a.test") == "SERVFAIL"
