"""Environment, downward API, /etc/hosts and /etc/resolv.conf: pure, byte for byte."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.cluster.objects.container import ResourceFieldSelector
from weft.cluster.objects.pod import HostAlias
from weft.cluster.objects.service import Service
from weft.kubelet.env.expand import expand
from weft.kubelet.env.fields import FieldError, Placement, field_value, resource_value
from weft.kubelet.env.services import service_variables
from weft.kubelet.files.hosts import host_network_hosts, pod_hosts
from weft.kubelet.files.resolv import MAX_SEARCH_CHARACTERS, Resolver, parse, pod_resolver

from .values import make_pod

PLACE = Placement("n1", ("192.168.0.1", "fd00::1"), ("10.0.0.2", "fd00:10::2"), {"cpu": "2", "memory": "1Gi"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)", "1"), ("$(B)", "$(B)"), ("$$(A)", "$(A)"), ("$$$(A)", "$1"), ("x$", "x$"), ("$(A", "$(A"),
        ("$A", "$A"), ("$(A)$(A)", "11"), ("$()", "$()"), ("$$$$", "$$"), ("$(A)-$(", "1-$("),
    ],
)  # fmt: skip
def test_references(text: str, expected: str) -> None:
    assert expand(text, {"A": "1"}) == expected


@given(st.text(alphabet="$()AB x"))
def test_text_without_a_dollar_stays(text: str) -> None:
    assert expand(text.replace("$", ""), {"A": "1"}) == text.replace("$", "")
    assert expand(text.replace("$", "$$"), {}) == text


def test_fields() -> None:
    pod = make_pod(metadata={"labels": {"b": 'q"\n', "a": "1"}}, serviceAccountName="sa")
    assert field_value(pod, "metadata.labels", PLACE) == 'a="1"\nb="q\\"\\n"'
    assert field_value(pod, "metadata.labels['a']", PLACE) == "1"
    assert field_value(pod, "metadata.annotations['none']", PLACE) == ""
    assert field_value(pod, "status.podIPs", PLACE) == "10.0.0.2,fd00:10::2"
    assert field_value(pod, "status.hostIPs", PLACE) == "192.168.0.1,fd00::1"
    assert field_value(pod, "spec.serviceAccountName", PLACE) == "sa"
    with pytest.raises(FieldError, match="unsupported fieldPath"):
        field_value(pod, "spec.containers", PLACE)


@pytest.mark.parametrize(
    ("resource", "divisor", "expected"),
    [
        ("limits.cpu", None, "1"), ("limits.cpu", "1m", "500"), ("requests.cpu", "1m", "250"),
        ("limits.memory", None, "1073741824"),
        ("limits.memory", "1Mi", "1024"), ("requests.memory", "1Mi", "64"),
    ],
)  # fmt: skip
def test_resources(resource: str, divisor: str | None, expected: str) -> None:
    pod = make_pod(
        {"name": "main", "resources": {"limits": {"cpu": "500m"}, "requests": {"cpu": "250m", "memory": "64Mi"}}}
    )
    assert resource_value(pod, ResourceFieldSelector(resource, divisor=divisor), "main", PLACE) == expected


def service(title: str, address: str, namespace: str = "default", **port: object) -> Service:
    body = {
        "metadata": {"name": title, "namespace": namespace},
        "spec": {"clusterIP": address, "ports": [{"port": 80, "protocol": "TCP", **port}]},
    }
    return msgspec.convert(body, Service)


def test_service_variables() -> None:
    found = service_variables(
        [service("my-db", "10.96.0.5", name="sql"), service("x", "None"), service("far", "10.96.0.6", "other"),
         service("kubernetes", "10.96.0.1")], "default", True,
    )  # fmt: skip
    assert found["MY_DB_SERVICE_HOST"] == "10.96.0.5" and found["MY_DB_SERVICE_PORT_SQL"] == "80"
    assert found["MY_DB_PORT"] == "tcp://10.96.0.5:80" == found["MY_DB_PORT_80_TCP"]
    assert found["MY_DB_PORT_80_TCP_PROTO"] == "tcp" and found["MY_DB_PORT_80_TCP_ADDR"] == "10.96.0.5"
    assert "KUBERNETES_SERVICE_HOST" in found and not any(name.startswith(("X_", "FAR_")) for name in found)
    assert set(service_variables([service("a", "10.96.0.7"), service("kubernetes", "10.96.0.1")], "b", False)) == {
        f"KUBERNETES_{n}" for n in ("SERVICE_HOST", "SERVICE_PORT", "PORT", "PORT_80_TCP", "PORT_80_TCP_PROTO",
                                    "PORT_80_TCP_PORT", "PORT_80_TCP_ADDR")
    }  # fmt: skip


def test_hosts_of_two_families() -> None:
    text = pod_hosts(("10.244.1.4", "fd00:10:244:1::4"), "web", "", (HostAlias("10.1.2.3", ("foo", "bar")),))
    assert text == (
        "# Kubernetes-managed hosts file.\n"
        "127.0.0.1\tlocalhost\n"
        "::1\tlocalhost ip6-localhost ip6-loopback\n"
        "fe00::0\tip6-localnet\n"
        "fe00::0\tip6-mcastprefix\n"
        "fe00::1\tip6-allnodes\n"
        "fe00::2\tip6-allrouters\n"
        "10.244.1.4\tweb\n"
        "fd00:10:244:1::4\tweb\n"
        "\n# Entries added by HostAliases.\n"
        "10.1.2.3\tfoo\tbar\n"
    )
    assert host_network_hosts("127.0.0.1 x\n", ()) == "# Kubernetes-managed hosts file (host network).\n127.0.0.1 x\n"


CLUSTER = "search default.svc.c.local svc.c.local c.local corp.example\nnameserver 10.96.0.10\noptions ndots:5\n"
HOST = Resolver(("1.1.1.1",), ("corp.example",), ("timeout:1",))


@pytest.mark.parametrize(
    ("policy", "host_network", "expected"),
    [
        ("ClusterFirst", False, CLUSTER),
        ("ClusterFirst", True, "search corp.example\nnameserver 1.1.1.1\noptions timeout:1\n"),
        ("ClusterFirstWithHostNet", True, CLUSTER),
        ("Default", False, "search corp.example\nnameserver 1.1.1.1\noptions timeout:1\n"),
        ("None", False, ""),
    ],
)  # fmt: skip
def test_dns_policies(policy: str, host_network: bool, expected: str) -> None:
    pod = make_pod(dnsPolicy=policy, hostNetwork=host_network)
    assert pod_resolver(pod, HOST, ("10.96.0.10",), "c.local")[0].text() == expected


def test_dns_config_is_merged_and_limited() -> None:
    config = {
        "nameservers": ["8.8.8.8", "9.9.9.9", "7.7.7.7"],
        "searches": ["a.b", "c.local"],
        "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}],
    }
    found, warnings = pod_resolver(make_pod(dnsConfig=config), HOST, ("10.96.0.10",), "c.local")
    assert found.servers == ("10.96.0.10", "8.8.8.8", "9.9.9.9")
    assert found.searches == ("default.svc.c.local", "svc.c.local", "c.local", "corp.example", "a.b")
    assert found.options == ("ndots:2", "edns0")
    assert warnings == (
        "Nameserver limits were exceeded, some nameservers have been omitted, "
        "the applied nameserver line is: 10.96.0.10 8.8.8.8 9.9.9.9",
    )


@given(st.lists(st.from_regex(r"[a-z]{1,60}(\.[a-z]{1,60}){0,5}", fullmatch=True), max_size=60))
def test_search_lines_fit(names: list[str]) -> None:
    found, _ = pod_resolver(make_pod(dnsConfig={"searches": names}), HOST, ("10.96.0.10",), "c.local")
    assert len(found.searches) <= 32 and len(" ".join(found.searches)) <= MAX_SEARCH_CHARACTERS
    assert parse(found.text()) == found


def test_resolv_conf_is_read_as_resolvers_do() -> None:
    text = (
        "# c\nsearch old\nnameserver 1.1.1.1\noptions ndots:1 rotate\nsearch new. .\nnameserver ::1\noptions ndots:3\n"
    )
    assert parse(text) == Resolver(("1.1.1.1", "::1"), ("new",), ("ndots:3", "rotate"))
    empty, _ = pod_resolver(make_pod(dnsPolicy="Default"), Resolver(), (), "c.local", ("fd00::1", "10.0.0.1"))
    assert empty.text() == "search .\nnameserver ::1\nnameserver 127.0.0.1\n"
