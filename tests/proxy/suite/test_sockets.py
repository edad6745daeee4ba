"""What only translated sockets have."""

import asyncio
import contextlib
import errno
import socket
import time

import pytest
from tests.proxy.builders import endpoint_slice, service
from tests.proxy.suite.test_cluster_ip import UDP, VIP, VIP6, ends, web
from tests.proxy.suite.world import World, tally

pytestmark = pytest.mark.root
PORT = 30080
DNS = service("web", VIP, {"port": 53, "protocol": "UDP"})


@pytest.fixture(autouse=True)
def _only(world: World) -> None:
    if not world.sockets:
        pytest.skip("this mode translates packets")


async def echo(world: World, made: socket.socket, to: tuple[str, int]) -> tuple[str, str]:
    """Who answers, and from which address, by an unconnected socket."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendto(made, b"?\n", to)
    data, sender = await asyncio.wait_for(loop.sock_recvfrom(made, 100), 1)
    return data.decode().split()[0], sender[0]


@pytest.mark.parametrize("version", [4, 6])
async def test_localhost_has_node_ports(world: World, version: int) -> None:
    local = "127.0.0.1" if version == 4 else "::1"
    await world.serve("d", version=version)
    await world.serve_udp("a", version=version)
    vip, kind = (VIP, "IPv4") if version == 4 else (VIP6, "IPv6")
    both = [
        {"name": "t", "port": 80, "nodePort": PORT},
        {"name": "u", "port": 80, "nodePort": PORT, "protocol": "UDP"},
    ]
    await world.told(
        service("web", vip, *both, type="NodePort"),
        endpoint_slice(*ends("d", version=version), ports=[{"name": "t", "port": 8080}], address_type=kind),
        endpoint_slice(
            *ends("a", version=version), name="u", address_type=kind,
            ports=[{"name": "u", "port": 8080, "protocol": "UDP"}],
        ),
    )  # fmt: skip
    assert (await world.ask("node1", local, PORT))[0] == "d"
    assert (await world.ask_udp("node1", local, PORT))[0] == "a"
    # A pod's loopback is its own.
    with pytest.raises(ConnectionRefusedError):
        await world.ask("c", local, PORT)


async def test_callers_see_the_service_not_the_endpoint(world: World) -> None:
    await web(world, "a")
    connection = await world.connect("c", VIP)
    assert connection.socket.getpeername() == (VIP, 80)
    connection.close()


@pytest.mark.parametrize("version", [4, 6])
async def test_unconnected_udp_is_answered_by_the_service_and_keeps_its_endpoint(world: World, version: int) -> None:
    vip, kind = (VIP, "IPv4") if version == 4 else (VIP6, "IPv6")
    for pod in ("a", "b", "d"):
        await world.serve_udp(pod, version=version)
    await world.told(
        service("web", vip, {"port": 53, "protocol": "UDP"}),
        endpoint_slice(*ends("a", "b", "d", version=version), ports=UDP, address_type=kind),
    )
    found = set()
    for _ in range(12):
        with world.open("c", socket.SOCK_DGRAM, version) as made:
            answers = {await echo(world, made, (vip, 53)) for _ in range(5)}
        assert len(answers) == 1
        found |= answers
    assert len(found) > 1
    assert {sender for _, sender in found} == {vip}


async def test_unconnected_udp_leaves_a_removed_endpoint(world: World) -> None:
    for pod in ("a", "b"):
        await world.serve_udp(pod)
    await world.told(DNS, endpoint_slice(*ends("a"), ports=UDP))
    with world.open("c", socket.SOCK_DGRAM) as made:
        assert await echo(world, made, (VIP, 53)) == ("a", VIP)
        await world.told(endpoint_slice(*ends("b"), ports=UDP))
        assert await echo(world, made, (VIP, 53)) == ("b", VIP)


async def test_six_sockets_that_talk_four(world: World) -> None:
    await web(world, "a")
    await world.serve_udp("b")
    await world.told(
        service("dns", "10.96.0.11", {"port": 53, "protocol": "UDP"}),
        endpoint_slice(*ends("b"), service="dns", ports=UDP),
    )
    connection = await world.connect("c", f"::ffff:{VIP}")
    assert (await connection.ask())[0] == "a"
    assert connection.socket.getpeername()[0] == f"::ffff:{VIP}"
    connection.close()
    with world.open("c", socket.SOCK_DGRAM, 6) as made:
        assert await echo(world, made, ("::ffff:10.96.0.11", 53)) == ("b", "::ffff:10.96.0.11")


async def until_destroyed(made: socket.socket) -> float:
    began = time.perf_counter()
    while time.perf_counter() - began < 2:
        if made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNABORTED:
            return time.perf_counter() - began
        await asyncio.sleep(0.002)
    raise TimeoutError


async def test_udp_sockets_of_a_removed_endpoint_are_destroyed_and_no_others(world: World) -> None:
    for pod in ("a", "b"):
        await world.serve_udp(pod)
    await world.told(DNS, endpoint_slice(*ends("a"), ports=UDP))
    with contextlib.ExitStack() as stack:
        through, direct = (stack.enter_context(world.open("c", socket.SOCK_DGRAM)) for _ in range(2))
        through.connect((VIP, 53))
        direct.connect(("10.244.1.5", 8080))
        assert (await world.ask_again(through))[0] == "a"
        await world.told(endpoint_slice(*ends("a", "b"), ports=UDP))
        assert (await world.ask_again(through))[0] == "a"
        await world.told(endpoint_slice(*ends("b"), ports=UDP))
        assert await until_destroyed(through) < 0.1
        assert (await world.ask_again(direct))[0] == "a"
        through.connect((VIP, 53))
        assert (await world.ask_again(through))[0] == "b"


async def test_sockets_are_translated_while_no_proxy_runs(world: World) -> None:
    await web(world, "a", "b")
    for mode in world.modes.values():
        mode.close()
    assert set(await world.answers("c", VIP)) == {"a", "b"}
    await world.restart()


async def test_all_that_a_pod_opens_is_one_client(world: World) -> None:
    for pod in ("a", "b", "d"):
        await world.serve_udp(pod)
    sticky = service("web", VIP, {"port": 53, "protocol": "UDP"}, sessionAffinity="ClientIP")
    await world.told(sticky, endpoint_slice(*ends("a", "b", "d"), ports=UDP))
    first = (await world.ask_udp("c", VIP, 53))[0]
    assert set(await tally(lambda: world.ask_udp("c", VIP, 53), 10)) == {first}
    with world.open("c", socket.SOCK_DGRAM) as made:
        assert (await echo(world, made, (VIP, 53)))[0] == first
