import copy
import random
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from weft.apiserver.auth.access import User
from weft.apiserver.kinds.services import KIND
from weft.apiserver.kinds.services.admission import ServiceAllocation, cluster_addresses, node_ports
from weft.apiserver.registry.admission import Context
from weft.apiserver.registry.kind import Object
from weft.cluster.errors import ApiError
from weft.cluster.objects.resource import Resource


class Nothing:
    def get(self, resource: Resource, name: str, namespace: str = "") -> Object | None:
        return None

    def list(self, resource: Resource, namespace: str = "") -> Iterator[Object]:
        return iter(())


CONTEXT = Context(User("admin"), Nothing())
DUAL = [ip_network("10.96.0.0/24"), ip_network("fd00:10:96::/112")]


class Server:
    """Services, and the admission that serves them."""

    def __init__(self, ranges: Any = DUAL, ports: tuple[int, int] = (30000, 32767)) -> None:
        self.admission = ServiceAllocation(ranges, ports, random.Random(1))
        self.stored: dict[str, Object] = {}

    def create(self, name: str = "s", **spec: Any) -> Object:
        obj = {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}], **copy.deepcopy(spec)}}
        KIND.default(obj)
        self.admission.admit_create(KIND, obj, CONTEXT)
        errors = KIND.validate_create(obj)
        assert not errors, [error.text() for error in errors]
        self.admission.applied(KIND, None, obj)
        self.stored[name] = obj
        return obj["spec"]

    def update(self, name: str = "s", **spec: Any) -> Object:
        """A replacement that says only `spec`."""
        old = self.stored[name]
        new = {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}], **copy.deepcopy(spec)}, "status": {}}
        KIND.default(new)
        self.admission.admit_update(KIND, new, old, CONTEXT)
        errors = KIND.validate_update(new, old)
        assert not errors, [f"{error.field} {error.text()}" for error in errors]
        self.admission.applied(KIND, old, new)
        self.stored[name] = new
        return new["spec"]

    def delete(self, name: str = "s") -> None:
        self.admission.applied(KIND, self.stored.pop(name), None)


def test_one_family_by_default() -> None:
    spec = Server().create()
    assert spec["ipFamilies"] == ["IPv4"]
    assert spec["ipFamilyPolicy"] == "SingleStack"
    assert spec["clusterIPs"] == [spec["clusterIP"]]


def test_two_families_where_there_are_two() -> None:
    assert Server().create(ipFamilyPolicy="PreferDualStack")["ipFamilies"] == ["IPv4", "IPv6"]
    alone = Server(DUAL[:1]).create(ipFamilyPolicy="PreferDualStack")
    assert alone["ipFamilies"] == ["IPv4"]
    with pytest.raises(ApiError, match="this cluster is not configured for dual-stack services"):
        Server(DUAL[:1]).create(ipFamilyPolicy="RequireDualStack")


def test_ipv6_first() -> None:
    spec = Server(DUAL[::-1]).create(ipFamilyPolicy="RequireDualStack")
    assert spec["ipFamilies"] == ["IPv6", "IPv4"]
    assert ":" in spec["clusterIP"]


def test_headless_without_selector_takes_both() -> None:
    spec = Server(DUAL[:1]).create(clusterIP="None")
    assert (spec["ipFamilyPolicy"], spec["ipFamilies"]) == ("RequireDualStack", ["IPv4", "IPv6"])
    assert spec["clusterIPs"] == ["None"]


def test_an_address_in_use_is_refused() -> None:
    server = Server()
    server.create(clusterIP="10.96.0.10")
    with pytest.raises(ApiError, match=r"failed to allocate IP 10\.96\.0\.10: provided IP is already allocated"):
        server.create("t", clusterIP="10.96.0.10")
    server.delete()
    server.create("t", clusterIP="10.96.0.10")


def test_a_refused_write_keeps_nothing() -> None:
    server = Server(ports=(30000, 30001))
    server.create(type="NodePort", ports=[{"port": 80, "nodePort": 30000}])
    with pytest.raises(ApiError, match="provided port is already allocated"):
        server.create(
            "t", type="NodePort", ports=[{"port": 80, "name": "a"}, {"port": 81, "name": "b", "nodePort": 30000}]
        )
    server.create("u", type="NodePort")
    with pytest.raises(ApiError, match="failed to allocate a nodePort: range is full"):
        server.create("v", type="NodePort")


def test_tcp_and_udp_of_one_port_share_a_node_port() -> None:
    ports = [{"port": 53, "name": "t"}, {"port": 53, "name": "u", "protocol": "UDP"}]
    first, second = Server().create(type="NodePort", ports=ports)["ports"]
    assert first["nodePort"] == second["nodePort"]


def test_updates_keep_what_the_server_chose() -> None:
    server = Server()
    before = server.create(type="NodePort")
    after = server.update(type="NodePort")
    assert after["clusterIP"] == before["clusterIP"]
    assert after["ports"][0]["nodePort"] == before["ports"][0]["nodePort"]


def test_a_change_of_type_gives_back() -> None:
    server = Server()
    server.create(type="NodePort")
    spec = server.update()
    assert "nodePort" not in spec["ports"][0]
    assert len(server.admission._ports) == 0
    server.update(type="ExternalName", externalName="a.b")
    assert all(len(pool) == 0 for pool in server.admission._addresses.values())
    assert server.update()["clusterIP"]


def test_health_check_port_comes_and_goes() -> None:
    server = Server()
    spec = server.create(type="LoadBalancer", externalTrafficPolicy="Local")
    assert spec["healthCheckNodePort"] not in (0, spec["ports"][0]["nodePort"])
    assert "healthCheckNodePort" not in server.update(type="LoadBalancer", externalTrafficPolicy="Cluster")


def test_no_node_ports_for_those_who_forgo_them() -> None:
    spec = Server().create(type="LoadBalancer", allocateLoadBalancerNodePorts=False)
    assert "nodePort" not in spec["ports"][0]


def test_from_one_family_to_two_and_back() -> None:
    server = Server()
    first = server.create()["clusterIP"]
    both = server.update(ipFamilyPolicy="RequireDualStack")
    assert both["clusterIPs"][0] == first
    assert len(both["clusterIPs"]) == 2
    assert server.update(ipFamilyPolicy="SingleStack", clusterIPs=both["clusterIPs"])["clusterIPs"] == [first]


def test_status_writes_pass() -> None:
    server = Server()
    server.create()
    obj = copy.deepcopy(server.stored["s"])
    server.admission.admit_update(KIND, obj, server.stored["s"], Context(User("a"), Nothing(), subresource="status"))
    assert obj == server.stored["s"]


SPECS = st.fixed_dictionaries(
    {"type": st.sampled_from(["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"])},
    optional={
        "ipFamilyPolicy": st.sampled_from(["SingleStack", "PreferDualStack", "RequireDualStack"]),
        "externalTrafficPolicy": st.sampled_from(["Cluster", "Local"]),
    },
).map(lambda spec: fitting(spec))


def fitting(spec: dict[str, Any]) -> dict[str, Any]:
    if spec["type"] == "ExternalName":
        return {"type": "ExternalName", "externalName": "a.b"}
    if spec["type"] == "ClusterIP":
        spec.pop("externalTrafficPolicy", None)
    return spec


class Services(RuleBasedStateMachine):
    """Any sequence of writes: no address or port twice, and what is in use is what the Services hold."""

    names = Bundle("names")

    def __init__(self) -> None:
        super().__init__()
        self.server = Server([ip_network("10.96.0.0/27"), ip_network("fd00::/123")], (30000, 30030))
        self.count = 0

    @rule(target=names, spec=SPECS)
    def create(self, spec: dict[str, Any]) -> str:
        self.count += 1
        name = f"s{self.count}"
        try:
            self.server.create(name, **spec)
        except ApiError as error:
            assert "range is full" in error.message, error.message
        return name

    @rule(name=names, spec=SPECS)
    def update(self, name: str, spec: dict[str, Any]) -> None:
        if name not in self.server.stored:
            return
        try:
            self.server.update(name, **spec)
        except ApiError as error:
            assert "range is full" in error.message or "must be 'SingleStack'" in error.message, error.message

    @rule(name=consumes(names))
    def delete(self, name: str) -> None:
        if name in self.server.stored:
            self.server.delete(name)

    @invariant()
    def nothing_twice_and_nothing_lost(self) -> None:
        specs = [obj["spec"] for obj in self.server.stored.values()]
        held = [text for spec in specs for text in cluster_addresses(spec)]
        assert len(held) == len(set(held))
        assert len(held) == sum(len(pool) for pool in self.server.admission._addresses.values())
        ports = [port for spec in specs for port in node_ports(spec)]
        assert len(ports) == len(set(ports)) == len(self.server.admission._ports)


TestServices = Services.TestCase
TestServices.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
