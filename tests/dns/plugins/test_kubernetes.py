"""Names of the cluster, asked with dig (Kubernetes DNS-Based Service Discovery 1.1.0)."""

import asyncio
import time

import dns.query
import pytest

import dns.message
from weft.cluster.objects.resource import NAMESPACES, SERVICES
from weft.dns.corefile import CorefileError, parse
from weft.dns.plugins.kubernetes.lookup import pod_address

ZONE = "cluster.local"


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (("web.default.svc.cluster.local", "A"), ["10.96.0.20"]),
        (("WEB.Default.SVC.cluster.LOCAL", "A"), ["10.96.0.20"]),
        (("web.default.svc.cluster.local", "AAAA"), []),
        (("dual.default.svc.cluster.local", "A"), ["10.96.0.21"]),
        (("dual.default.svc.cluster.local", "AAAA"), ["fd00:10:96::21"]),
        (("bare.default.svc.cluster.local", "A"), ["10.96.0.22"]),
        (("db.default.svc.cluster.local", "A"), ["10.244.1.6", "10.244.2.6"]),
        (("db-0.db.default.svc.cluster.local", "A"), ["10.244.1.6"]),
        (("10-244-2-6.db.default.svc.cluster.local", "A"), ["10.244.2.6"]),
        (("10-244-1-5.web.default.svc.cluster.local", "A"), ["10.244.1.5"]),
        (("_http._tcp.web.default.svc.cluster.local", "SRV"), ["0 100 80 web.default.svc.cluster.local."]),
        (("_dns._udp.web.default.svc.cluster.local", "SRV"), ["0 100 53 web.default.svc.cluster.local."]),
        (
            ("_pg._tcp.db.default.svc.cluster.local", "SRV"),
            [
                "0 50 5432 10-244-2-6.db.default.svc.cluster.local.",
                "0 50 5432 db-0.db.default.svc.cluster.local.",
            ],
        ),
        (("bare.default.svc.cluster.local", "SRV"), []),
        (("-x", "10.96.0.20"), ["web.default.svc.cluster.local."]),
        (("-x", "10.244.1.6"), ["db-0.db.default.svc.cluster.local."]),
        (("-x", "10.244.2.5"), ["10-244-2-5.web.default.svc.cluster.local."]),
        (("-x", "fd00:10:96::21"), ["dual.default.svc.cluster.local."]),
        (("10-244-9-9.default.pod.cluster.local", "A"), ["10.244.9.9"]),
        (("fd00--9.default.pod.cluster.local", "AAAA"), ["fd00::9"]),
        (("dns-version.cluster.local", "TXT"), ['"1.1.0"']),
        (("out.default.svc.cluster.local", "A"), ["web.default.svc.cluster.local.", "10.96.0.20"]),
        (("away.default.svc.cluster.local", "CNAME"), ["www.example.test."]),
        (("cluster.local", "NS"), ["kube-dns.kube-system.svc.cluster.local."]),
        (("ns.dns.cluster.local", "A"), ["10.96.0.10"]),
    ],
)
async def test_records(cluster, question, answer):
    got = await cluster.short(*question)
    assert (got if "CNAME" in question or "out." in question[0] else sorted(got)) == answer


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("web.default.svc.cluster.local", "NOERROR"),
        ("nothing.default.svc.cluster.local", "NXDOMAIN"),
        ("web.nowhere.svc.cluster.local", "NXDOMAIN"),
        ("default.svc.cluster.local", "NOERROR"),
        ("nowhere.svc.cluster.local", "NXDOMAIN"),
        ("svc.cluster.local", "NOERROR"),
        ("cluster.local", "NOERROR"),
        ("default.pod.cluster.local", "NOERROR"),
        ("no-address.default.pod.cluster.local", "NXDOMAIN"),
        ("10-244-9-9.nowhere.pod.cluster.local", "NXDOMAIN"),
        ("_no._tcp.web.default.svc.cluster.local", "NXDOMAIN"),
        ("a.b.c.web.default.svc.cluster.local", "NXDOMAIN"),
        ("www.example.com.default.svc.cluster.local", "NXDOMAIN"),
        ("10-244-3-6.db.default.svc.cluster.local", "NXDOMAIN"),
        ("*.default.svc.cluster.local", "NXDOMAIN"),
        ("1.2.3.10.in-addr.arpa", "NXDOMAIN"),
        ("example.com", "SERVFAIL"),
    ],
)
async def test_names_that_are_there_and_not(cluster, name, status):
    assert await cluster.status(name, "MX") == status
    assert await cluster.status(name, "A") == status


async def test_the_soa_of_a_negative_answer_is_corednss(cluster):
    out = await cluster.dig("no.default.svc.cluster.local", "A", "+noall", "+authority")
    owner, ttl, _, type_, mname, rname, _, *numbers = out.split()
    assert (owner, ttl, type_) == ("cluster.local.", "30", "SOA")
    assert (mname, rname) == ("ns.dns.cluster.local.", "hostmaster.cluster.local.")
    assert numbers == ["7200", "1800", "86400", "30"]


async def test_srv_brings_the_addresses_along(cluster):
    out = await cluster.dig("_pg._tcp.db.default.svc.cluster.local", "SRV", "+noall", "+additional")
    assert {line.split()[-1] for line in out.splitlines() if " A " in " ".join(line.split())} == {
        "10.244.1.6",
        "10.244.2.6",
    }


async def test_replies_are_authoritative_and_copy_rd(cluster):
    assert "flags: qr aa rd;" in await cluster.dig("web.default.svc.cluster.local")
    assert "flags: qr aa;" in await cluster.dig("web.default.svc.cluster.local", "+norec")


async def test_a_change_is_answered_at_once(cluster):
    """5 ms after the event at the latest; here no time passes at all but the watch's turn of the loop."""
    query = dns.message.make_query("new.default.svc.cluster.local", "A", use_edns=False)

    async def ask() -> dns.message.Message:
        return await asyncio.to_thread(dns.query.udp, query, "127.0.0.1", 2, cluster.port)

    assert (await ask()).rcode() == dns.rcode.NXDOMAIN
    assert (await ask()).rcode() == dns.rcode.NXDOMAIN  # now from the prepared answers
    begun = time.monotonic()
    cluster.service("default/new", "10.96.0.99", "http:80/TCP")
    await cluster.settle()
    assert time.monotonic() - begun < 0.005
    assert (await ask()).answer[0][0].to_text() == "10.96.0.99"
    cluster.service("default/new", "10.96.0.98", "http:80/TCP")
    await cluster.settle()
    assert (await ask()).answer[0][0].to_text() == "10.96.0.98"
    await cluster.cluster.delete(SERVICES, "new", "default")
    await cluster.settle()
    assert (await ask()).rcode() == dns.rcode.NXDOMAIN


async def test_endpoints_come_and_go(cluster):
    name = "db.default.svc.cluster.local"
    for _ in range(3):
        assert len(await cluster.short(name)) == 2
    cluster.slice("default/db#2", "10.244.4.6", ports=("pg:5432/TCP",))
    await cluster.settle()
    assert sorted(await cluster.short(name)) == ["10.244.1.6", "10.244.2.6", "10.244.4.6"]
    assert await cluster.short("-x", "10.244.4.6") == ["10-244-4-6.db.default.svc.cluster.local."]
    cluster.slice("default/db#2", ports=("pg:5432/TCP",))
    cluster.slice("default/db", ports=("pg:5432/TCP",))
    await cluster.settle()
    assert await cluster.status(name) == "NXDOMAIN"
    assert await cluster.status("-x", "10.244.4.6") == "NXDOMAIN"


async def test_a_namespace_comes_and_goes(cluster):
    assert await cluster.status("late.svc.cluster.local") == "NXDOMAIN"
    cluster.service("late/web", "10.96.0.50", "http:80/TCP")
    await cluster.settle()
    assert await cluster.status("web.late.svc.cluster.local") == "NXDOMAIN"
    cluster.namespace("late")
    await cluster.settle()
    assert await cluster.short("web.late.svc.cluster.local") == ["10.96.0.50"]
    await cluster.cluster.delete(NAMESPACES, "late")
    await cluster.settle()
    assert await cluster.status("web.late.svc.cluster.local") == "NXDOMAIN"


async def test_loadbalance_turns_the_addresses(cluster):
    first = {(await cluster.short("db.default.svc.cluster.local", "+noedns"))[0] for _ in range(4)}
    assert first == {"10.244.1.6", "10.244.2.6"}


async def test_names_asked_in_mixed_case_are_echoed(cluster):
    query = dns.message.make_query("wEb.deFAult.svC.cluster.LOCAL", "A")
    for _ in range(2):
        reply = await asyncio.to_thread(dns.query.udp, query, "127.0.0.1", 2, cluster.port)
        assert reply.question[0].name.to_text() == "wEb.deFAult.svC.cluster.LOCAL."
        assert reply.answer[0].name.to_text() == "wEb.deFAult.svC.cluster.LOCAL."


async def test_a_large_answer_is_cut_and_whole_over_tcp(cluster):
    addresses = [f"10.244.{n // 200}.{n % 200 + 1}" for n in range(300)]
    cluster.service("default/big", "None", "http:80/TCP")
    cluster.slice("default/big", *addresses)
    await cluster.settle()
    name = "big.default.svc.cluster.local"
    cut = await cluster.dig(name, "+noedns", "+ignore")
    assert " tc " in cut.partition("flags:")[2].partition(";")[0]
    assert int(cut.partition("MSG SIZE  rcvd: ")[2]) <= 512
    assert sorted(await cluster.short(name)) == sorted(addresses)


SETTINGS = ".:PORT {{\n bind 127.0.0.1\n kubernetes cluster.local in-addr.arpa {{\n{}\n }}\n}}\n"


async def test_pods_verified(world):
    world.namespace("default")
    world.namespace("other")
    world.pod("default/web-1", "10.244.1.5", "fd00::5")
    await world.start(SETTINGS.format("pods verified"))
    assert await world.short("10-244-1-5.default.pod.cluster.local") == ["10.244.1.5"]
    assert await world.short("fd00--5.default.pod.cluster.local", "AAAA") == ["fd00::5"]
    assert await world.status("10-244-1-5.other.pod.cluster.local") == "NXDOMAIN"
    assert await world.status("10-244-1-6.default.pod.cluster.local") == "NXDOMAIN"
    world.pod("default/web-2", "10.244.1.6")
    await world.settle()
    assert await world.short("10-244-1-6.default.pod.cluster.local") == ["10.244.1.6"]


async def test_pods_are_disabled_by_default(world):
    world.namespace("default")
    await world.start(SETTINGS.format(""))
    assert await world.status("10-244-1-5.default.pod.cluster.local") == "NXDOMAIN"


async def test_settings(world):
    for name in ("a", "b"):
        world.namespace(name)
        world.service(f"{name}/web", "None", "http:80/TCP")
        target = {"addresses": ["10.244.1.5"], "targetRef": {"kind": "Pod", "name": f"web-{name}"}}
        world.slice(f"{name}/web", target)
    world.service("a/empty", "10.96.0.30", "http:80/TCP")
    await world.start(SETTINGS.format(" endpoint_pod_names\n namespaces a\n ttl 7\n ignore empty_service"))
    assert await world.short("web-a.web.a.svc.cluster.local") == ["10.244.1.5"]
    assert await world.status("web.b.svc.cluster.local") == "NXDOMAIN"
    assert await world.status("empty.a.svc.cluster.local") == "NXDOMAIN"
    assert await world.short("-x", "10.244.1.5") == ["web-a.web.a.svc.cluster.local."]
    assert " 7 IN A 10.244.1.5" in " ".join((await world.dig("web.a.svc.cluster.local")).split())


async def test_without_endpoints(world):
    world.namespace("a")
    world.service("a/web", "None", "http:80/TCP")
    world.service("a/vip", "10.96.0.30", "http:80/TCP")
    world.slice("a/web", "10.244.1.5")
    await world.start(SETTINGS.format("noendpoints"))
    assert await world.status("web.a.svc.cluster.local") == "NXDOMAIN"
    assert await world.short("vip.a.svc.cluster.local") == ["10.96.0.30"]


async def test_labels(world):
    world.namespace("a")
    for name, tier in (("web", "front"), ("db", "back")):
        world.service(f"a/{name}", "10.96.0.30", "http:80/TCP")
        service = await world.cluster.get(SERVICES, name, "a", as_=dict)
        service["metadata"]["labels"] = {"tier": tier}
        world.cluster.put(SERVICES, service)
    await world.start(SETTINGS.format("labels tier=front"))
    assert await world.short("web.a.svc.cluster.local") == ["10.96.0.30"]
    assert await world.status("db.a.svc.cluster.local") == "NXDOMAIN"


async def test_an_external_name_is_followed_upstream(cluster, upstream):
    def answer(packet: bytes, transport: str) -> bytes:
        query = dns.message.from_wire(packet)
        reply = dns.message.make_response(query)
        reply.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "A", "192.0.2.7"))
        return reply.to_wire()

    upstream.answer = answer
    await cluster.reload(
        f".:PORT {{\n bind 127.0.0.1\n kubernetes cluster.local\n forward . 127.0.0.1:{upstream.port}\n cache\n}}\n"
    )
    for _ in range(2):
        assert await cluster.short("away.default.svc.cluster.local") == ["www.example.test.", "192.0.2.7"]
    assert dns.message.from_wire(upstream.asked[0]).question[0].name.to_text() == "www.example.test."
    assert len(upstream.asked) == 1


async def test_external_names_in_a_circle_end(cluster):
    cluster.service("default/one", "", type="ExternalName", externalName="two.default.svc.cluster.local")
    cluster.service("default/two", "", type="ExternalName", externalName="one.default.svc.cluster.local")
    await cluster.settle()
    assert await cluster.short("one.default.svc.cluster.local") == []
    assert await cluster.status("one.default.svc.cluster.local") == "NOERROR"


def test_pod_address():
    assert pod_address("10-244-2-5") == "10.244.2.5"
    assert pod_address("fd00-10-244--5") == "fd00:10:244::5"
    assert pod_address("010-1-1-1") is None
    assert pod_address("a-b") is None


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("pods some", "Corefile:3: pods: 'some' is not possible (use one of disabled, insecure, verified)"),
        ("ttl 4000", "Corefile:3: ttl: '4000' is not a number from 0 to 3600 (correct the number)"),
        ("upstream", "Corefile:3: upstream: unknown property (use pods,"),
        ("namespaces a\n namespace_labels b", "Corefile:2: kubernetes: namespaces and namespace_labels exclude"),
    ],
)
async def test_bad_settings(world, lines, problem):
    (block,) = parse(f". {{\nkubernetes cluster.local {{\n{lines}\n}}\n}}")
    with pytest.raises(CorefileError) as caught:
        await world.start(f". {{\nkubernetes cluster.local {{\n{lines}\n}}\n}}")
    assert problem in str(caught.value)
    assert block.names == (b"\0",)
