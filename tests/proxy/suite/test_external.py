"""What comes from outside: NodePorts, external addresses, load balancer addresses; policies and source ranges."""

from typing import Any

import pytest
from tests.proxy.builders import endpoint_slice, service
from tests.proxy.suite.test_cluster_ip import VIP, VIP6, ends, six
from tests.proxy.suite.world import OUTSIDE, World, node_address, pod_address

from weft.cluster.objects.service import Service

pytestmark = pytest.mark.root
PORT = 30080
LB, EXTERNAL = "192.0.2.7", "198.51.100.9"


def web(kind: str = "NodePort", **spec: Any) -> Service:
    return service("web", VIP, {"port": 80, "nodePort": PORT}, type=kind, **spec)


def balanced(**spec: Any) -> Service:
    ingress = spec.pop("ingress", [{"ip": LB}])
    return web("LoadBalancer", status={"loadBalancer": {"ingress": ingress}}, **spec)


async def serving(world: World, one: Service, *pods: str) -> None:
    for pod in pods:
        await world.serve(pod)
    await world.told(one, endpoint_slice(*ends(*pods)))


@pytest.mark.parametrize("node", ["node1", "node2"])
async def test_a_node_port_answers_on_every_node(world: World, node: str) -> None:
    await serving(world, web(), "a", "d")
    assert set(await world.answers("outside", node_address(node), PORT)) == {"a", "d"}


async def test_a_node_port_masquerades_so_that_answers_come_back(world: World) -> None:
    await serving(world, web(), "d")
    name, seen = await world.ask("outside", node_address("node1"), PORT)
    assert (name, seen) == ("d", node_address("node1"))


@pytest.mark.parametrize("caller", ["a", "c", "d", "node1", "node2"])
async def test_pods_and_nodes_reach_a_node_port(world: World, caller: str) -> None:
    await serving(world, web(), "a")
    for node in ("node1", "node2"):
        assert (await world.ask(caller, node_address(node), PORT))[0] == "a"


async def test_a_node_port_in_both_families(world: World) -> None:
    for pod in ("a", "d"):
        await world.serve(pod)
        await world.serve(pod, version=6)
    await world.told(web(clusterIPs=[VIP, VIP6]), endpoint_slice(*ends("a", "d")), six("a", "d"))
    assert set(await world.answers("outside", node_address("node1"), PORT)) == {"a", "d"}
    assert set(await world.answers("outside", node_address("node1", 6), PORT)) == {"a", "d"}


async def test_a_node_port_for_udp(world: World) -> None:
    await world.serve_udp("d")
    port = {"port": 53, "nodePort": PORT, "protocol": "UDP"}
    await world.told(
        service("web", VIP, port, type="NodePort"),
        endpoint_slice(*ends("d"), ports=[{"name": "", "port": 8080, "protocol": "UDP"}]),
    )
    assert (await world.ask_udp("outside", node_address("node1"), PORT))[0] == "d"


async def test_a_node_port_without_endpoints_is_refused(world: World) -> None:
    await world.told(web())
    with pytest.raises(ConnectionRefusedError):
        await world.ask("outside", node_address("node1"), PORT)


async def test_other_ports_of_the_node_are_its_own(world: World) -> None:
    await serving(world, web(), "a")
    await world.serve("node1", 9000)
    assert (await world.ask("outside", node_address("node1"), 9000))[0] == "node1"


async def test_local_policy_keeps_the_source_and_stays_on_the_node(world: World) -> None:
    await serving(world, web(externalTrafficPolicy="Local"), "a", "d")
    for _ in range(10):
        assert await world.ask("outside", node_address("node1"), PORT) == ("a", OUTSIDE[4])
        assert await world.ask("outside", node_address("node2"), PORT) == ("d", OUTSIDE[4])


async def test_local_policy_drops_where_there_is_no_local_endpoint(world: World) -> None:
    await serving(world, web(externalTrafficPolicy="Local"), "d")
    with pytest.raises(TimeoutError):
        await world.ask("outside", node_address("node1"), PORT)
    assert (await world.ask("outside", node_address("node2"), PORT))[0] == "d"


@pytest.mark.parametrize("caller", ["c", "node1"])
async def test_local_policy_lets_pods_and_the_node_through_to_all(world: World, caller: str) -> None:
    await serving(world, balanced(externalTrafficPolicy="Local"), "d")
    assert (await world.ask(caller, LB))[0] == "d"
    assert (await world.ask(caller, node_address("node1"), PORT))[0] == "d"


@pytest.mark.parametrize("address", [LB, EXTERNAL])
async def test_external_and_balancer_addresses_answer_where_they_are_routed(world: World, address: str) -> None:
    await serving(world, balanced(externalIPs=[EXTERNAL]), "a", "d")
    world.route("outside", address, via="node1")
    assert set(await world.answers("outside", address)) == {"a", "d"}
    assert set(await world.answers("c", address)) == {"a", "d"}


async def test_a_balancer_that_proxies_is_not_cut_short(world: World) -> None:
    """Pods must go to the balancer, who stands outside here."""
    await serving(world, balanced(ingress=[{"ip": OUTSIDE[4], "ipMode": "Proxy"}]), "a")
    await world.serve("outside", 80)
    assert (await world.ask("c", OUTSIDE[4]))[0] == "outside"


async def test_source_ranges_guard_balancer_addresses_only(world: World) -> None:
    await serving(world, balanced(loadBalancerSourceRanges=["10.244.0.0/16"]), "a")
    world.route("outside", LB, via="node1")
    with pytest.raises(TimeoutError):
        await world.ask("outside", LB)
    assert (await world.ask("c", LB))[0] == "a"
    assert (await world.ask("outside", node_address("node1"), PORT))[0] == "a"
    await world.told(balanced(loadBalancerSourceRanges=["10.244.0.0/16", f"{OUTSIDE[4]}/32"]))
    assert (await world.ask("outside", LB))[0] == "a"


async def test_source_ranges_hold_without_endpoints_too(world: World) -> None:
    await world.told(balanced(loadBalancerSourceRanges=["10.244.0.0/16"]))
    world.route("outside", LB, via="node1")
    with pytest.raises(TimeoutError):
        await world.ask("outside", LB)
    with pytest.raises(ConnectionRefusedError):
        await world.ask("c", LB)


@pytest.mark.parametrize("caller", ["c", "d"])
async def test_internal_policy_local(world: World, caller: str) -> None:
    await serving(world, service(internalTrafficPolicy="Local"), "a")
    if caller == "c":
        assert await world.ask("c", VIP) == ("a", pod_address("c"))
        assert (await world.ask("node1", VIP))[0] == "a"
    else:
        with pytest.raises(TimeoutError):
            await world.ask("d", VIP)


async def test_draining_endpoints_serve_when_no_other_is_left(world: World) -> None:
    await world.serve("a")
    (draining,) = ends("a")
    draining["conditions"] = {"ready": False, "serving": True, "terminating": True}
    await world.told(service(), endpoint_slice(draining))
    assert (await world.ask("c", VIP))[0] == "a"
    await world.serve("d")
    await world.told(endpoint_slice(draining, *ends("d")))
    assert set(await world.answers("c", VIP)) == {"d"}


async def test_a_caller_from_outside_may_use_a_routed_cluster_ip(world: World) -> None:
    """Its answers come back only if it is masqueraded."""
    await serving(world, service(), "d")
    world.route("outside", VIP, via="node1")
    assert await world.ask("outside", VIP) == ("d", node_address("node1"))
