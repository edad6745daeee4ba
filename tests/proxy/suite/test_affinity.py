"""Session affinity by client address."""

import asyncio
from typing import Any

import pytest
from tests.proxy.builders import endpoint_slice, service
from tests.proxy.suite.test_cluster_ip import VIP, ends
from tests.proxy.suite.world import OUTSIDE, World, node_address, tally

from weft.cluster.objects.service import Service

pytestmark = pytest.mark.root
PODS = ("a", "b", "d")


def sticky(seconds: int = 60, **spec: Any) -> Service:
    config = {"clientIP": {"timeoutSeconds": seconds}}
    port = {"port": 80, "nodePort": 30080} if "type" in spec else {"port": 80}
    return service("web", VIP, port, sessionAffinity="ClientIP", sessionAffinityConfig=config, **spec)


async def serving(world: World, one: Service, *pods: str) -> None:
    for pod in pods:
        await world.serve(pod)
    await world.told(one, endpoint_slice(*ends(*pods)))


@pytest.mark.parametrize("caller", ["c", "node1"])
async def test_a_client_keeps_its_endpoint(world: World, caller: str) -> None:
    await serving(world, sticky(), *PODS)
    assert len(await world.answers(caller, VIP, calls=25)) == 1


async def test_clients_differ(world: World) -> None:
    await serving(world, sticky(), *PODS)
    found = {who: set(await world.answers(who, VIP, calls=3)) for who in ("a", "b", "c", "d", "node1", "node2")}
    assert all(len(names) == 1 for names in found.values())
    assert len(set.union(*found.values())) > 1


async def test_affinity_ends_after_its_time(world: World) -> None:
    await serving(world, sticky(1), *PODS)

    async def call() -> tuple[str, str]:
        await asyncio.sleep(1.05)
        return await world.ask("c", VIP)

    assert len(await tally(lambda: world.ask("c", VIP), 10)) == 1
    assert len(await tally(call, 8)) > 1


async def test_each_new_connection_renews_it(world: World) -> None:
    await serving(world, sticky(1), *PODS)
    first = (await world.ask("c", VIP))[0]
    for _ in range(5):
        await asyncio.sleep(0.5)
        assert (await world.ask("c", VIP))[0] == first


async def test_affinity_ends_with_its_endpoint(world: World) -> None:
    await serving(world, sticky(), *PODS)
    first = (await world.ask("c", VIP))[0]
    rest = [pod for pod in PODS if pod != first]
    await world.told(endpoint_slice(*ends(*rest)))
    found = set(await world.answers("c", VIP, calls=10))
    assert len(found) == 1
    assert found <= set(rest)
    await world.told(endpoint_slice(*ends(*PODS)))
    assert set(await world.answers("c", VIP, calls=10)) == found


async def test_affinity_outlives_a_restart(world: World) -> None:
    await serving(world, sticky(), *PODS)
    first = (await world.ask("c", VIP))[0]
    await world.restart()
    assert set(await world.answers("c", VIP, calls=10)) == {first}


@pytest.mark.parametrize("policy", ["Cluster", "Local"])
async def test_affinity_from_outside(world: World, policy: str) -> None:
    await serving(world, sticky(type="NodePort", externalTrafficPolicy=policy), *PODS)
    found = await world.answers("outside", node_address("node1"), 30080, calls=20)
    assert len(found) == 1
    if policy == "Local":
        assert await world.ask("outside", node_address("node2"), 30080) == ("d", OUTSIDE[4])


async def test_affinity_of_udp(world: World) -> None:
    for pod in PODS:
        await world.serve_udp(pod)
    ports = [{"name": "", "port": 8080, "protocol": "UDP"}]
    one = service("web", VIP, {"port": 53, "protocol": "UDP"}, sessionAffinity="ClientIP")
    await world.told(one, endpoint_slice(*ends(*PODS), ports=ports))
    assert len(await tally(lambda: world.ask_udp("c", VIP, 53), 20)) == 1


async def test_affinity_to_an_endpoint_on_the_node_itself(world: World) -> None:
    """Such a connection ends in the node: it is remembered on its way in, not on its way out."""
    await world.serve("node1", 8080)
    await world.serve("d")
    own = {"addresses": [node_address("node1")], "nodeName": "node1"}
    await world.told(sticky(), endpoint_slice(own, *ends("d")))
    for _ in range(4):
        assert len(await world.answers("c", VIP, calls=8)) == 1
        await world.told(gone=(sticky(),))
        await world.told(sticky())
