"""The plugins that are a page each: errors health ready prometheus hosts log loadbalance loop."""

import asyncio
import logging

import pytest
from tests.dns.conftest import World, free_port

from weft.dns.corefile import CorefileError, parse
from weft.dns.plugins import PLUGINS
from weft.dns.plugins.hosts.table import read


async def get(port: int, path: str) -> tuple[int, str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    text = (await reader.read()).decode()
    writer.close()
    head, _, body = text.partition("\r\n\r\n")
    return int(head.split()[1]), body


async def test_health_ready_and_metrics(world: World):
    health, ready, metrics = free_port(), free_port(), free_port()
    world.namespace("default")
    world.service("default/web", "10.96.0.20", "http:80/TCP")
    await world.start(
        f".:PORT {{\n bind 127.0.0.1\n health 127.0.0.1:{health} {{\n lameduck 1s\n }}\n ready 127.0.0.1:{ready}\n"
        f" prometheus 127.0.0.1:{metrics}\n kubernetes cluster.local\n}}\n"
    )
    assert await get(health, "/health") == (200, "OK")
    assert await get(ready, "/ready") == (200, "OK")
    assert (await get(health, "/nothing"))[0] == 404
    for _ in range(5):
        await world.short("web.default.svc.cluster.local", "+noedns")
    await world.status("no.default.svc.cluster.local", "AAAA", "+tcp")
    status, text = await get(metrics, "/metrics")
    assert status == 200
    at = f'server="dns://:{world.port}",zone=".",view=""'
    assert f'coredns_dns_requests_total{{{at},proto="udp",family="1",type="A"}} 5' in text
    assert f'coredns_dns_responses_total{{{at},rcode="NOERROR",plugin="kubernetes"}} 5' in text
    assert f'coredns_dns_responses_total{{{at},rcode="NXDOMAIN",plugin="kubernetes"}} 1' in text
    assert f"coredns_dns_request_duration_seconds_count{{{at}}} 6" in text
    assert f'coredns_dns_response_size_bytes_count{{{at},proto="tcp"}} 1' in text
    for line in text.splitlines():
        assert line.startswith("#") or len(line.rsplit(" ", 1)) == 2
    world.server.stopping = True
    assert (await get(ready, "/ready"))[0] == 503
    assert (await get(health, "/health"))[0] == 200


async def test_not_ready_before_the_cluster_answers(world: World):
    ready = free_port()
    started = asyncio.Event()
    listing = world.cluster.list

    async def slow(*args, **kwargs):
        await started.wait()
        return await listing(*args, **kwargs)

    world.cluster.list = slow  # type: ignore[method-assign]
    await world.start(
        f".:PORT {{\n bind 127.0.0.1\n ready 127.0.0.1:{ready}\n"
        " kubernetes cluster.local {\n startup_timeout 50ms\n }\n}\n"
    )
    assert await get(ready, "/ready") == (503, "kubernetes")
    assert await world.status("web.default.svc.cluster.local") == "SERVFAIL"
    world.namespace("default")
    world.service("default/web", "10.96.0.20", "http:80/TCP")
    started.set()
    await world.settle()
    assert await get(ready, "/ready") == (200, "OK")
    assert await world.short("web.default.svc.cluster.local") == ["10.96.0.20"]


async def test_broken_http_requests(world: World):
    health = free_port()
    await world.start(f".:PORT {{\n bind 127.0.0.1\n health 127.0.0.1:{health}\n}}\n")
    for request, status in ((b"nonsense\r\n\r\n", b" 400 "), (b"POST /health HTTP/1.1\r\n\r\n", b" 405 ")):
        reader, writer = await asyncio.open_connection("127.0.0.1", health)
        writer.write(request)
        assert status in await reader.readline()
        writer.close()


async def test_hosts(world: World, tmp_path):
    (tmp_path / "hosts").write_text(
        "192.0.2.1 one.test alias.test # a comment\n192.0.2.9 both.test\n2001:db8::1 one.test\n"
    )
    await world.start(
        f".:PORT {{\n bind 127.0.0.1\n hosts {tmp_path}/hosts test 2.0.192.in-addr.arpa {{\n"
        "  192.0.2.2 *.wild.test\n  192.0.2.8 both.test\n  ttl 9\n  reload 50ms\n  fallthrough sub.test\n }\n}\n"
    )
    assert await world.short("one.test") == ["192.0.2.1"]
    assert await world.short("one.test", "AAAA") == ["2001:db8::1"]
    assert await world.short("both.test") == ["192.0.2.8"]
    assert await world.short("x.wild.test") == ["192.0.2.2"]
    assert await world.status("y.x.wild.test") == "NXDOMAIN"
    assert await world.status("wild.test") == "NXDOMAIN"
    assert await world.status("one.test", "MX") == "NOERROR"
    assert await world.status("a.sub.test") == "SERVFAIL"  # falls through, and nothing follows
    assert await world.short("-x", "192.0.2.1") == ["one.test.", "alias.test."]
    assert " 9 IN A" in " ".join((await world.dig("one.test")).split())
    (tmp_path / "hosts").write_text("192.0.2.7 one.test\n")
    await asyncio.sleep(0.2)
    assert await world.short("one.test") == ["192.0.2.7"]


def test_a_hosts_file_with_nonsense_in_it():
    table = read("1.2.3.4\nno address\n1.2.3.4 a..b ok\n\n# x\n", ())
    assert list(table.addresses) == [b"\x02ok\0"]


async def test_log(world: World, caplog):
    world.namespace("default")
    world.service("default/web", "10.96.0.20", "http:80/TCP")
    caplog.set_level(logging.INFO)
    await world.start(
        ".:PORT {\n bind 127.0.0.1\n log svc.cluster.local {\n class success\n }\n"
        ' log cluster.local "{type} {name} {rcode}" {\n class denial\n }\n kubernetes cluster.local\n}\n'
    )
    for _ in range(2):
        await world.short("web.default.svc.cluster.local", "+noedns")
    await world.status("no.default.svc.cluster.local")
    lines = [record.getMessage() for record in caplog.records if record.name.endswith("log.plugin")]
    assert len(lines) == 3
    assert '"A IN web.default.svc.cluster.local. udp 47 false 512" NOERROR qr,aa,rd 63 0.' in lines[0]
    assert lines[2] == "A no.default.svc.cluster.local. NXDOMAIN"


async def test_a_forwarding_loop_ends_the_server(world: World, impatient):
    await world.start(".:PORT {\n bind 127.0.0.1\n loop\n forward . 127.0.0.1:PORT\n}\n")
    reason = await asyncio.wait_for(world.server.failed, 5)
    assert reason.startswith('loop: queries for zone "." that are forwarded come back (')


async def test_no_loop(world: World, upstream):
    upstream.answer = lambda packet, transport: packet[:2] + b"\x81\x83" + packet[4:]
    await world.start(f".:PORT {{\n bind 127.0.0.1\n loop\n forward . 127.0.0.1:{upstream.port}\n}}\n")
    while not upstream.asked:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert not world.server.failed.done()
    assert len(upstream.asked) == 1


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("whoami", "Corefile:2: whoami: there is no such plugin (use reload,"),
        ("errors x", "Corefile:2: errors: unexpected argument 'x'"),
        ("errors {\n consolidate\n}", "Corefile:3: consolidate: errors has no properties"),
        ("health :x", "Corefile:2: health: ':x' is not an address with a port (write one such as :8080"),
        ("health {\n lameduck soon\n}", "Corefile:3: lameduck: 'soon' is not a duration"),
        ("ready {\n monitor never\n}", "Corefile:3: monitor: 'never' is not possible"),
        ("cache 30\ncache 20", "Corefile:3: cache: stands twice, first in line 2"),
        ("cache {\n prefetch 10\n}", "Corefile:3: prefetch: unknown property (use success, denial, servfail)"),
        ("cache {\n servfail 10m\n}", "Corefile:3: servfail: 10m is too long"),
        ("reload 1ms", "Corefile:2: reload: 1ms is too short an interval"),
        ("loadbalance weighted", "Corefile:2: loadbalance: 'weighted' is not possible"),
        ("log {\n class some\n}", "Corefile:3: class: 'some' is no class of replies"),
        ("hosts {\n 10.0.0.1\n}", "Corefile:3: 10.0.0.1: has no argument"),
        ("hosts {\n name 10.0.0.1\n}", "Corefile:3: name: unknown property"),
        ("bind eth0", "Corefile:2: bind: 'eth0' is not an IP address"),
        ("forward . /no/such/file", "Corefile:2: forward: /no/such/file: No such file or directory"),
        ("kubernetes 10.0.0.0/8", "Corefile:2: kubernetes: has only reverse zones"),
    ],
)
async def test_bad_settings(world: World, lines, problem):
    with pytest.raises(CorefileError) as caught:
        await world.start(f". {{\n{lines}\n}}\n")
    assert str(caught.value).removeprefix(str(world.folder) + "/").startswith(problem)


def test_the_plugins_stand_in_one_list():
    assert len({plugin.name for plugin in PLUGINS}) == len(PLUGINS)
    (block,) = parse(". {\n}")
    assert block.directives == ()
