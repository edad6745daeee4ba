"""The same objects, in a real kube-apiserver, the same queries, the same answers as the real CoreDNS."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.flags
import dns.query
import dns.rcode
import dns.rdatatype
import pytest
from tests.dns.conftest import free_port
from tests.peers import kube_apiserver, peer, process

import dns.message
from weft.cluster.objects.resource import ENDPOINT_SLICES, NAMESPACES, PODS, SERVICES
from weft.cluster.real import HttpCluster, load

pytestmark = [pytest.mark.peer, pytest.mark.timeout(180)]

COREFILE = """.:{port} {{
    bind 127.0.0.1
    errors
    ready 127.0.0.1:{ready}
    hosts /dev/null example.test {{
        192.0.2.1 www.example.test
    }}
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        kubeconfig {kubeconfig}
        pods {pods}
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
        {extra}
    }}
    cache 30
    loadbalance
}}
"""


def service(name: str, ports: dict[str, int], namespace: str = "default", **spec: Any) -> dict[str, Any]:
    made = [{"name": n, "port": p, "protocol": "UDP" if n.endswith("udp") else "TCP"} for n, p in ports.items()]
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace},
            "spec": {"ports": made, **spec}}  # fmt: skip


def endpoint_slice(
    name: str, of: str, family: str, ports: dict[str, int], *endpoints: dict[str, Any]
) -> dict[str, Any]:
    return {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": name, "namespace": "default", "labels": {"kubernetes.io/service-name": of}},
        "addressType": family, "endpoints": list(endpoints),
        "ports": [{"name": n, "port": p, "protocol": "TCP"} for n, p in ports.items()],
    }  # fmt: skip


def pod(name: str) -> dict[str, Any]:
    container = {"name": "c", "image": "none"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
            "spec": {"containers": [container], "automountServiceAccountToken": False, "nodeName": "none"}}  # fmt: skip


SERVICES_MADE = [
    service("web", {"http": 80, "metrics": 9100, "dns-udp": 53}, clusterIP="10.96.0.20"),
    service("dual", {"http": 80}, ipFamilyPolicy="RequireDualStack", ipFamilies=["IPv4", "IPv6"]),
    service("six", {"http": 80}, ipFamilyPolicy="SingleStack", ipFamilies=["IPv6"]),
    service("db", {"pg": 5432}, clusterIP="None"),
    service("two", {"pg": 5432, "ssh": 22}, clusterIP="None"),
    service("empty", {"pg": 5432}, clusterIP="None"),
    service("bare", {}, clusterIP="None"),
    service("alone", {"http": 80}, clusterIP="10.96.0.30"),
    service("out", {}, type="ExternalName", externalName="web.default.svc.cluster.local"),
    service("chain", {}, type="ExternalName", externalName="out.default.svc.cluster.local"),
    service("lost", {}, type="ExternalName", externalName="nothing.default.svc.cluster.local"),
    service("away", {}, type="ExternalName", externalName="www.example.test"),
    service("self", {}, type="ExternalName", externalName="self.default.svc.cluster.local"),
    service("other", {"http": 80}, namespace="shop", clusterIP="10.96.0.40"),
]
SLICES_MADE = [
    endpoint_slice("web-a", "web", "IPv4", {"http": 8080}, {"addresses": ["10.244.1.5"], "conditions": {"ready": True}},
                   {"addresses": ["10.244.2.5"], "targetRef": {"kind": "Pod", "name": "web-1"}}),
    endpoint_slice("db-a", "db", "IPv4", {"pg": 5432},
                   {"addresses": ["10.244.1.6"], "hostname": "db-0", "conditions": {"ready": True}},
                   {"addresses": ["10.244.2.6"], "conditions": {"ready": True}},
                   {"addresses": ["10.244.3.6"], "conditions": {"ready": False}}),
    endpoint_slice("db-six", "db", "IPv6", {"pg": 5432}, {"addresses": ["fd00::6"], "hostname": "db-0"},
                   {"addresses": ["fd00:0:0:1::"]}),
    endpoint_slice("two-a", "two", "IPv4", {"pg": 5432, "ssh": 22}, {"addresses": ["10.244.1.7"]},
                   {"addresses": ["10.244.2.7"]}),
    endpoint_slice("two-b", "two", "IPv4", {"pg": 5432, "ssh": 22}, {"addresses": ["10.244.1.7"]}),
    endpoint_slice("bare-a", "bare", "IPv4", {}, {"addresses": ["10.244.1.8"]}),
    endpoint_slice("shared", "alone", "IPv4", {"http": 80}, {"addresses": ["10.244.1.5"]}),
]  # fmt: skip

NAMES = [
    "web.default.svc", "WEB.default.svc", "dual.default.svc", "six.default.svc", "db.default.svc", "two.default.svc",
    "empty.default.svc", "bare.default.svc", "alone.default.svc", "out.default.svc", "chain.default.svc",
    "lost.default.svc", "away.default.svc", "self.default.svc", "other.shop.svc", "other.default.svc",
    "nothing.default.svc", "web.nowhere.svc", "kubernetes.default.svc",
    "default.svc", "nowhere.svc", "svc", "", "default.pod", "nowhere.pod", "pod", "default", "x.y",
    "_http._tcp.web.default.svc", "_metrics._tcp.web.default.svc", "_http._udp.web.default.svc",
    "_dns-udp._udp.web.default.svc", "_pg._tcp.db.default.svc", "_ssh._tcp.two.default.svc", "http.tcp.web.default.svc",
    "_pg._tcp.empty.default.svc", "_x._tcp.bare.default.svc", "_http._tcp.out.default.svc",
    "db-0.db.default.svc", "DB-0.db.default.svc", "10-244-2-6.db.default.svc", "10-244-3-6.db.default.svc",
    "fd00-0-0-1--0.db.default.svc", "10-244-1-5.web.default.svc", "web-1.web.default.svc", "no.web.default.svc",
    "a.b.c.web.default.svc", "www.example.com.default.svc", "www.example.com.svc", "www.example.com",
    "10-244-1-5.default.pod", "10-244-9-9.default.pod", "fd00--6.default.pod", "1-2-3.default.pod", "x.default.pod",
    "010-1-1-1.default.pod", "10-244-1-5.nowhere.pod", "a.10-244-1-5.default.pod",
    "dns-version", "x.dns-version", "*.default.svc", "any.any.svc",
]  # fmt: skip
REVERSE = [
    "20.0.96.10.in-addr.arpa", "30.0.96.10.in-addr.arpa", "1.0.96.10.in-addr.arpa", "5.1.244.10.in-addr.arpa",
    "6.1.244.10.in-addr.arpa", "7.1.244.10.in-addr.arpa", "6.3.244.10.in-addr.arpa", "10.in-addr.arpa",
    "6." + "0." * 27 + "0.0.d.f.ip6.arpa", "x.ip6.arpa",
]  # fmt: skip
TYPES = ["A", "AAAA", "SRV", "CNAME", "PTR", "MX", "HTTPS", "ANY"]
"""TXT and SOA differ on purpose, and so do some SRV and reverse queries: see `differs`."""


async def fill(kubeconfig: Path) -> None:
    async with HttpCluster(load(kubeconfig)) as cluster:
        await cluster.create(NAMESPACES, {"metadata": {"name": "shop"}})
        for made in SERVICES_MADE:
            await cluster.create(SERVICES, made)
        for made in SLICES_MADE:
            await cluster.create(ENDPOINT_SLICES, made)
        await cluster.create(PODS, pod("web-1"))
        status = {"status": {"podIPs": [{"ip": "10.244.1.5"}], "podIP": "10.244.1.5", "phase": "Running"}}
        await cluster.patch(PODS, "web-1", status, "default", subresource="status")


@pytest.fixture(scope="module")
def kubeconfig() -> Iterator[Path]:
    peer("coredns")
    flags = ("--disable-admission-plugins=ServiceAccount",)
    with kube_apiserver(*flags, service_cidr="10.96.0.0/12,fd00:10:96::/112") as path:
        asyncio.run(fill(path))
        yield path


def run(folder: Path, name: str, kubeconfig: Path, pods: str, extra: str) -> tuple[int, Any]:
    port = free_port()
    file = folder / f"{name}.corefile"
    file.write_text(COREFILE.format(port=port, ready=free_port(), kubeconfig=kubeconfig, pods=pods, extra=extra))
    command = [str(peer("coredns"))] if name == "coredns" else [sys.executable, "-m", "weft.dns"]
    return port, process(folder / f"{name}.log", *command, "-conf", str(file))


def ask(port: int, name: str, type_: str) -> dns.message.Message | None:
    query = dns.message.make_query(name, type_, use_edns=False)
    try:
        return dns.query.tcp(query, "127.0.0.1", 3, port)
    except (dns.exception.Timeout, OSError, EOFError):
        return None


def normal(message: dns.message.Message | None) -> Any:
    """What must be the same: rcode, flags, and the records of each section without their order and the serial."""
    if message is None:
        return None
    sections = []
    for section in (message.answer, message.authority, message.additional):
        records = []
        for rrset in section:
            for rdata in rrset:
                text = rdata.to_text().lower()
                if rrset.rdtype == dns.rdatatype.SOA:
                    words = text.split()
                    text = " ".join((*words[:2], *words[3:]))
                records.append((rrset.name.to_text().lower(), rrset.ttl, dns.rdatatype.to_text(rrset.rdtype), text))
        sections.append(sorted(records))
    flags = message.flags & (dns.flags.AA | dns.flags.TC | dns.flags.RD)
    return dns.rcode.to_text(message.rcode()), flags, *sections


def differs(name: str, type_: str) -> bool:
    """What the README of the plugin says to be other than CoreDNS's."""
    return (".pod." in name and type_ == "SRV") or (name.endswith("arpa") and type_ != "PTR")


def wait_for(port: int) -> None:
    for _ in range(100):
        message = ask(port, "web.default.svc.cluster.local", "A")
        if message is not None and message.answer:
            return
        subprocess.run(["sleep", "0.1"], check=True)
    raise AssertionError("no answer")


@pytest.mark.parametrize(
    ("pods", "extra"), [("insecure", ""), ("verified", "endpoint_pod_names\nignore empty_service"),
                        ("disabled", "namespaces default")]
)  # fmt: skip
def test_answers_are_corednss(kubeconfig: Path, tmp_path: Path, pods: str, extra: str):
    ours, ours_running = run(tmp_path, "weft", kubeconfig, pods, extra)
    theirs, theirs_running = run(tmp_path, "coredns", kubeconfig, pods, extra)
    with ours_running, theirs_running:
        wait_for(ours)
        wait_for(theirs)
        questions = [(f"{name}.cluster.local".lstrip("."), type_) for name in NAMES for type_ in TYPES]
        questions += [(name, type_) for name in REVERSE for type_ in TYPES]
        questions = [question for question in questions if not differs(*question)]
        different = []
        for name, type_ in questions:
            got, wanted = normal(ask(ours, name, type_)), normal(ask(theirs, name, type_))
            if got != wanted:
                different.append(f"{name} {type_}\n  weft    {got}\n  coredns {wanted}")
        assert len(questions) > 400
        assert not different, f"{len(different)} of {len(questions)}:\n" + "\n".join(different)
