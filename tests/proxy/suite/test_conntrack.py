"""Which flows are forgotten, and that the others are not, with real packets."""

import contextlib
import socket
from collections.abc import AsyncIterator
from ipaddress import ip_address

import pytest
from tests.proxy.builders import endpoint_slice, service
from tests.proxy.suite.test_cluster_ip import UDP, VIP, ends
from tests.proxy.suite.world import World, pod_address

from weft.kernel.conntrack import Translation
from weft.kernel.real.conntrack import RealConntrack

pytestmark = pytest.mark.root
DNS = service("web", VIP, {"port": 53, "protocol": "UDP"})


@pytest.fixture(autouse=True)
def _only(world: World) -> None:
    if world.sockets:
        pytest.skip("sockets that are translated have no translated flows")


@contextlib.asynccontextmanager
async def caller(world: World) -> AsyncIterator[socket.socket]:
    made = world.open("c", socket.SOCK_DGRAM)
    made.connect((VIP, 53))
    with made:
        yield made


def forget(world: World, pairs: list[Translation]) -> None:
    door = RealConntrack(world.ns("node1"))
    door.forget(pairs)
    door.close()


def stale(world: World) -> list[Translation]:
    return [Translation(17, at.address, at.port, address, port) for at, address, port in world.stale[0].pairs]


@pytest.mark.parametrize("many", [False, True])
async def test_a_flow_leaves_its_removed_endpoint(world: World, many: bool) -> None:
    for pod in ("a", "b"):
        await world.serve_udp(pod)
    await world.told(DNS, endpoint_slice(*ends("a"), ports=UDP))
    async with caller(world) as made, caller(world) as other:
        assert (await world.ask_again(made))[0] == "a"
        await world.told(endpoint_slice(*ends("a", "b"), ports=UDP))
        assert stale(world) == []
        await world.told(endpoint_slice(*ends("b"), ports=UDP))
        assert (await world.ask_again(other))[0] == "b"
        assert (await world.ask_again(made))[0] == "a"
        pairs = stale(world)
        assert [ip_address(one.end_address).exploded for one in pairs] == [pod_address("a")]
        noise = [one._replace(port=port) for one in pairs for port in range(1, 40)] if many else []
        forget(world, [*pairs, *noise])
        assert (await world.ask_again(made))[0] == "b"
        assert (await world.ask_again(other))[0] == "b"


async def test_only_flows_of_that_endpoint_are_forgotten(world: World) -> None:
    for pod in ("a", "b"):
        await world.serve_udp(pod)
    await world.told(DNS, endpoint_slice(*ends("a"), ports=UDP))
    async with caller(world) as made:
        assert (await world.ask_again(made))[0] == "a"
        await world.told(endpoint_slice(*ends("b"), ports=UDP))
        only = stale(world)[0]
        forget(
            world, [only._replace(end_address=b"\x0a\x00\x00\x01"), only._replace(port=54), only._replace(end_port=1)]
        )
        assert (await world.ask_again(made))[0] == "a"


async def test_flows_from_before_the_first_endpoint_are_forgotten(world: World) -> None:
    await world.serve_udp("a")
    async with caller(world) as made:
        with pytest.raises(TimeoutError):
            await world.ask_again(made, timeout=0.05)
        await world.told(DNS, endpoint_slice(*ends("a"), ports=UDP))
        forget(world, stale(world))
        assert (await world.ask_again(made))[0] == "a"
