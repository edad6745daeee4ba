"""Each rule of the Service API, as entries."""

from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from tests.proxy.builders import endpoint, endpoint_slice, service

from weft.cluster.objects.service import Service
from weft.proxy.model import Entry, Frontend, NodeView, Problems, entries
from weft.proxy.objects import EndpointSlice

NODE = NodeView("node1", "a", (ip_address("172.30.0.11"),), (ip_address("172.30.0.11"), ip_address("fd00::11")))
A, B, C = "10.244.1.5", "10.244.2.5", "10.244.3.5"
DRAINING = {"ready": False, "serving": True, "terminating": True}
UNREADY = {"ready": False, "serving": False, "terminating": False}


def plan(one: Service, *slices: EndpointSlice, node: NodeView = NODE) -> dict[str, Entry]:
    made = entries(one, slices, node, Problems())
    return {f"{ip_address(at.address)}:{at.port}/{at.protocol}": entry for at, entry in made.items()}


def addresses(ends: tuple[Any, ...] | None) -> list[str]:
    return [f"{ip_address(end.address)}:{end.port}" for end in ends or ()]


def test_a_cluster_ip_leads_to_all_ready_endpoints() -> None:
    made = plan(service(), endpoint_slice(endpoint(A), endpoint(B, "node2"), endpoint(C, conditions=UNREADY)))
    assert list(made) == ["10.96.0.10:80/tcp"]
    entry = made["10.96.0.10:80/tcp"]
    assert addresses(entry.cluster) == [f"{A}:8080", f"{B}:8080"]
    assert (entry.local, entry.absent, entry.affinity, entry.service) == (None, "", 0, "default/web")


@pytest.mark.parametrize(
    "skipped",
    [
        service(cluster_ip="None"),
        service(cluster_ip=""),
        service(type="ExternalName", externalName="example.org"),
        service(labels={"service.kubernetes.io/service-proxy-name": "other"}),
        service(labels={"service.kubernetes.io/headless": ""}),
    ],
)
def test_what_is_not_ours_is_skipped(skipped: Service) -> None:
    assert plan(skipped, endpoint_slice(endpoint(A))) == {}


def test_ports_are_matched_by_name_and_protocol() -> None:
    dns = service(
        "dns",
        "10.96.0.10",
        {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": "dns"},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": "dns"},
    )
    ports = [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 5353, "protocol": "TCP"}]
    made = plan(dns, endpoint_slice(endpoint(A), ports=ports))
    assert addresses(made["10.96.0.10:53/udp"].cluster) == [f"{A}:53"]
    assert addresses(made["10.96.0.10:53/tcp"].cluster) == [f"{A}:5353"]
    assert made["10.96.0.10:53/tcp"].service == "default/dns:dns-tcp"


def test_a_named_port_may_differ_from_pod_to_pod() -> None:
    one = endpoint_slice(endpoint(A), name="one", ports=[{"name": "http", "port": 8080}])
    other = endpoint_slice(endpoint(B), name="two", ports=[{"name": "http", "port": 9090}])
    made = plan(service("web", "10.96.0.10", {"name": "http", "port": 80, "targetPort": "http"}), one, other)
    assert addresses(made["10.96.0.10:80/tcp"].cluster) == [f"{A}:8080", f"{B}:9090"]


def test_an_endpoint_in_two_slices_counts_once_and_the_living_one_wins() -> None:
    dying = endpoint_slice(endpoint(A, conditions=DRAINING), name="old")
    living = endpoint_slice(endpoint(A), name="new")
    for slices in ((dying, living), (living, dying)):
        assert addresses(plan(service(), *slices)["10.96.0.10:80/tcp"].cluster) == [f"{A}:8080"]


def test_unset_conditions_mean_ready() -> None:
    made = plan(service(), endpoint_slice(endpoint(A, conditions={})))
    assert addresses(made["10.96.0.10:80/tcp"].cluster) == [f"{A}:8080"]


def test_draining_endpoints_are_the_last_resort() -> None:
    made = plan(service(), endpoint_slice(endpoint(A, conditions=DRAINING), endpoint(B, conditions=UNREADY)))
    assert addresses(made["10.96.0.10:80/tcp"].cluster) == [f"{A}:8080"]
    made = plan(service(), endpoint_slice(endpoint(A, conditions=DRAINING), endpoint(B)))
    assert addresses(made["10.96.0.10:80/tcp"].cluster) == [f"{B}:8080"]


def test_no_endpoints_anywhere_is_a_rejection() -> None:
    for slices in ((), (endpoint_slice(endpoint(A, conditions=UNREADY)),)):
        entry = plan(service(), *slices)["10.96.0.10:80/tcp"]
        assert (entry.cluster, entry.absent) == ((), "reject")


def test_each_family_has_its_own_endpoints() -> None:
    both = service(cluster_ip="10.96.0.10", clusterIPs=["10.96.0.10", "fd00:10:96::a"])
    v6 = endpoint_slice(endpoint("fd00:10:244:1::5"), name="six", address_type="IPv6")
    made = plan(both, endpoint_slice(endpoint(A)), v6)
    assert addresses(made["10.96.0.10:80/tcp"].cluster) == [f"{A}:8080"]
    assert addresses(made["fd00:10:96::a:80/tcp"].cluster) == ["fd00:10:244:1::5:8080"]


def test_a_node_port_answers_on_the_node_addresses_of_its_families() -> None:
    one = service("web", "10.96.0.10", {"port": 80, "nodePort": 30080}, type="NodePort")
    made = plan(one, endpoint_slice(endpoint(A)))
    assert set(made) == {"10.96.0.10:80/tcp", "172.30.0.11:30080/tcp"}
    assert made["172.30.0.11:30080/tcp"].kind == "NodePort"


@pytest.mark.parametrize("away", [{"ready": True}, DRAINING])
def test_internal_traffic_policy_local_never_falls_back(away: dict[str, bool]) -> None:
    one = service(internalTrafficPolicy="Local")
    entry = plan(one, endpoint_slice(endpoint(B, "node2", conditions=away)))["10.96.0.10:80/tcp"]
    assert (entry.cluster, entry.local, entry.absent) == ((), (), "drop")
    entry = plan(one, endpoint_slice(endpoint(A), endpoint(B, "node2")))["10.96.0.10:80/tcp"]
    assert (entry.cluster, addresses(entry.local), entry.absent) == ((), [f"{A}:8080"], "")


def balanced(**spec: Any) -> Service:
    return service(
        "web",
        "10.96.0.10",
        {"port": 80, "nodePort": 30080},
        type="LoadBalancer",
        status={"loadBalancer": {"ingress": spec.pop("ingress", [{"ip": "192.0.2.7"}])}},
        **spec,
    )


def test_external_traffic_policy_local_binds_outsiders_only() -> None:
    made = plan(balanced(externalTrafficPolicy="Local"), endpoint_slice(endpoint(A), endpoint(B, "node2")))
    assert made["10.96.0.10:80/tcp"].local is None
    for at in ("172.30.0.11:30080/tcp", "192.0.2.7:80/tcp"):
        assert addresses(made[at].local) == [f"{A}:8080"]
        assert addresses(made[at].cluster) == [f"{A}:8080", f"{B}:8080"]
        assert made[at].absent == ""


def test_external_traffic_policy_local_without_local_endpoints_drops() -> None:
    made = plan(balanced(externalTrafficPolicy="Local"), endpoint_slice(endpoint(B, "node2")))
    assert made["192.0.2.7:80/tcp"].local == ()
    assert made["192.0.2.7:80/tcp"].absent == "drop"
    assert made["10.96.0.10:80/tcp"].absent == ""
    assert plan(balanced(externalTrafficPolicy="Local"))["192.0.2.7:80/tcp"].absent == "reject"


def test_local_falls_back_to_draining_ones_apart_from_cluster() -> None:
    made = plan(
        balanced(externalTrafficPolicy="Local"),
        endpoint_slice(endpoint(A, conditions=DRAINING), endpoint(B, "node2")),
    )
    assert addresses(made["192.0.2.7:80/tcp"].local) == [f"{A}:8080"]
    assert addresses(made["192.0.2.7:80/tcp"].cluster) == [f"{B}:8080"]


def test_a_balancer_that_keeps_its_address_is_not_short_circuited() -> None:
    made = plan(balanced(ingress=[{"ip": "192.0.2.7", "ipMode": "Proxy"}, {"hostname": "lb.example.org"}]))
    assert set(made) == {"10.96.0.10:80/tcp", "172.30.0.11:30080/tcp"}


def test_source_ranges_guard_the_balancer_address_only() -> None:
    made = plan(balanced(loadBalancerSourceRanges=["10.0.0.0/25", " 10.0.0.128/25", "fd00::/8"]))
    assert made["192.0.2.7:80/tcp"].sources == (ip_network("10.0.0.0/24"),)
    assert made["172.30.0.11:30080/tcp"].sources == () == made["10.96.0.10:80/tcp"].sources
    assert plan(balanced(loadBalancerSourceRanges=["0.0.0.0/0", "10.0.0.0/8"]))["192.0.2.7:80/tcp"].sources == ()


def test_a_range_with_the_node_lets_the_balancer_address_call_itself() -> None:
    made = plan(balanced(loadBalancerSourceRanges=["172.30.0.0/24"]))
    assert set(made["192.0.2.7:80/tcp"].sources) == {ip_network("172.30.0.0/24"), ip_network("192.0.2.7/32")}


def test_external_ips() -> None:
    one = service(externalIPs=["198.51.100.9", "fd00::9", "nonsense"])
    problems = Problems()
    made = entries(one, [endpoint_slice(endpoint(A))], NODE, problems)
    assert Frontend(ip_address("198.51.100.9").packed, "tcp", 80) in made
    assert len(made) == 2
    assert problems.found == {"default/web": ["externalIPs 'nonsense' is not an IP address"]}


def test_affinity_has_its_default() -> None:
    assert plan(service(sessionAffinity="ClientIP"))["10.96.0.10:80/tcp"].affinity == 10_800
    timed = service(sessionAffinity="ClientIP", sessionAffinityConfig={"clientIP": {"timeoutSeconds": 60}})
    assert plan(timed)["10.96.0.10:80/tcp"].affinity == 60


def hinted(address: str, zone: str = "", node: str = "", **fields: Any) -> dict[str, Any]:
    hints = {"forZones": [{"name": zone}] if zone else None, "forNodes": [{"name": node}] if node else None}
    return endpoint(address, hints=hints, **fields)


@pytest.mark.parametrize(
    ("ends", "wanted"),
    [
        ([hinted(A, "a"), hinted(B, "b")], [A]),
        ([hinted(A, "a"), endpoint(B)], [A, B]),
        ([hinted(A, "c"), hinted(B, "b")], [A, B]),
        ([hinted(A, "a", "node1"), hinted(B, "a", "node2")], [A]),
        ([hinted(A, "a", "node3"), hinted(B, "b", "node2")], [A]),
        ([hinted(A, "a"), endpoint(B, conditions=UNREADY)], [A]),
    ],
)
def test_hints_count_if_all_ready_endpoints_have_one_and_one_is_for_us(
    ends: list[dict[str, Any]], wanted: list[str]
) -> None:
    made = plan(service(), endpoint_slice(*ends))
    assert addresses(made["10.96.0.10:80/tcp"].cluster) == [f"{address}:8080" for address in wanted]


def test_malformed_parts_are_left_out_and_told() -> None:
    problems = Problems()
    bad = endpoint_slice(endpoint("300.1.1.1"), endpoint("host.example"), endpoint(A), {"addresses": []})
    made = entries(service(cluster_ip="10.96.0.10", clusterIPs=["10.96.0.10", "x"]), [bad], NODE, problems)
    (entry,) = made.values()
    assert addresses(entry.cluster) == [f"{A}:8080"]
    (told,) = problems.found.values()
    assert len(told) == 4
    assert "300.1.1.1" in told[0]
