"""ClusterIPs, with real packets."""

import asyncio
import socket

import pytest
from tests.proxy.builders import endpoint, endpoint_slice, service
from tests.proxy.suite.world import World, pod_address, tally

pytestmark = pytest.mark.root
VIP = "10.96.0.10"
VIP6 = "fd00:10:96::a"
UDP = [{"name": "", "port": 8080, "protocol": "UDP"}]


def ends(*pods: str, version: int = 4) -> list[dict[str, object]]:
    return [endpoint(pod_address(pod, version), "node2" if pod == "d" else "node1") for pod in pods]


def six(*pods: str) -> object:
    return endpoint_slice(*ends(*pods, version=6), name="web-6", address_type="IPv6")


async def web(world: World, *pods: str) -> None:
    for pod in pods:
        await world.serve(pod)
    await world.told(service(), endpoint_slice(*ends(*pods)))


async def test_calls_spread_over_all_endpoints(world: World) -> None:
    await web(world, "a", "b", "d")
    found = await world.answers("c", VIP, calls=90)
    assert set(found) == {"a", "b", "d"}
    assert min(found.values()) > 10


@pytest.mark.parametrize("caller", ["c", "d", "node1", "node2"])
async def test_pods_and_nodes_reach_it_and_pods_are_seen_as_themselves(world: World, caller: str) -> None:
    await web(world, "a")
    name, seen = await world.ask(caller, VIP)
    assert name == "a"
    if not caller.startswith("node"):
        assert seen == pod_address(caller)


async def test_a_pod_reaches_itself(world: World) -> None:
    await web(world, "a")
    name, seen = await world.ask("a", VIP)
    assert name == "a"
    # A socket that is connected to its own pod sends no packet that would need another sender.
    assert (seen == pod_address("a")) == world.sockets


async def test_six(world: World) -> None:
    for pod in ("a", "d"):
        await world.serve(pod, version=6)
    await world.told(service(clusterIPs=[VIP, VIP6]), six("a", "d"))
    assert set(await world.answers("c", VIP6)) == {"a", "d"}
    assert (await world.ask("c", VIP6))[1] == pod_address("c", 6)
    assert (await world.ask("node1", VIP6))[0] in "ad"
    assert set(await world.answers("a", VIP6)) == {"a", "d"}
    with pytest.raises(ConnectionRefusedError):
        await world.ask("c", VIP)


@pytest.mark.parametrize("version", [4, 6])
async def test_udp(world: World, version: int) -> None:
    for pod in ("a", "d"):
        await world.serve_udp(pod, version=version)
    vip = VIP if version == 4 else VIP6
    kind = "IPv4" if version == 4 else "IPv6"
    await world.told(
        service("web", VIP, {"port": 53, "protocol": "UDP"}, clusterIPs=[vip]),
        endpoint_slice(*ends("a", "d", version=version), ports=UDP, address_type=kind),
    )
    found = await tally(lambda: world.ask_udp("c", vip, 53), 40)
    assert set(found) == {"a", "d"}
    assert (await world.ask_udp("node1", vip, 53))[0] in "ad"


async def test_tcp_and_udp_on_one_port(world: World) -> None:
    await world.serve("a", 5353)
    await world.serve_udp("b", 5353)
    both = service("web", VIP, {"name": "t", "port": 53}, {"name": "u", "port": 53, "protocol": "UDP"})
    ports = [{"name": "t", "port": 5353, "protocol": "TCP"}]
    await world.told(
        both,
        endpoint_slice(*ends("a"), name="t", ports=ports),
        endpoint_slice(*ends("b"), name="u", ports=[{"name": "u", "port": 5353, "protocol": "UDP"}]),
    )
    assert (await world.ask("c", VIP, 53))[0] == "a"
    assert (await world.ask_udp("c", VIP, 53))[0] == "b"


async def test_sctp(world: World) -> None:
    try:
        server = world.open("a", protocol=socket.IPPROTO_SCTP)
    except OSError:
        pytest.skip("this kernel has no SCTP")
    server.bind(("", 8080))
    server.listen()
    sctp = [{"name": "", "port": 8080, "protocol": "SCTP"}]
    await world.told(service("web", VIP, {"port": 80, "protocol": "SCTP"}), endpoint_slice(*ends("a"), ports=sctp))
    (await world.connect("c", VIP, protocol=socket.IPPROTO_SCTP)).close()
    server.close()


@pytest.mark.parametrize("caller", ["c", "d", "node1", "node2"])
async def test_without_endpoints_callers_are_refused(world: World, caller: str) -> None:
    await world.told(service())
    with pytest.raises(ConnectionRefusedError):
        await world.ask(caller, VIP)


async def test_udp_without_endpoints_is_refused(world: World) -> None:
    await world.told(service("web", VIP, {"port": 53, "protocol": "UDP"}))
    with pytest.raises(ConnectionRefusedError):
        await world.ask_udp("c", VIP, 53)


async def test_other_ports_of_a_cluster_ip_are_refused(world: World) -> None:
    await web(world, "a")
    for caller in ("c", "node1"):
        with pytest.raises(ConnectionRefusedError):
            await world.ask(caller, VIP, 81)


async def test_named_ports_differ_from_pod_to_pod(world: World) -> None:
    await world.serve("a", 8080)
    await world.serve("b", 9090)
    await world.told(
        service("web", VIP, {"name": "http", "port": 80, "targetPort": "http"}),
        endpoint_slice(*ends("a"), name="one", ports=[{"name": "http", "port": 8080}]),
        endpoint_slice(*ends("b"), name="two", ports=[{"name": "http", "port": 9090}]),
    )
    assert set(await world.answers("c", VIP)) == {"a", "b"}


async def test_an_endpoint_outside_the_cluster(world: World) -> None:
    """A Service without selector, and a slice that a person wrote."""
    await world.serve("outside", 9000)
    by_hand = {"addresses": ["172.30.9.1"]}
    await world.told(service(), endpoint_slice(by_hand, ports=[{"name": "", "port": 9000}]))
    assert (await world.ask("node1", VIP))[0] == "outside"


async def test_changes_under_traffic_cost_no_call(world: World) -> None:
    await web(world, "a", "b", "d")
    stop = asyncio.Event()
    calls = 0

    async def caller() -> None:
        nonlocal calls
        while not stop.is_set():
            await world.ask("c", VIP)
            calls += 1

    tasks = [asyncio.create_task(caller()) for _ in range(4)]
    sets = [("a",), ("b", "d"), ("a", "b", "d"), ("d",), ("a", "d")]
    for number in range(60):
        await world.told(endpoint_slice(*ends(*sets[number % len(sets)])))
        await asyncio.sleep(0.005)
    stop.set()
    await asyncio.gather(*tasks)
    assert calls > 50


async def test_connections_outlive_their_endpoint_and_their_service(world: World) -> None:
    await web(world, "a")
    connection = await world.connect("c", VIP)
    assert (await connection.ask())[0] == "a"
    await world.serve("b")
    await world.told(endpoint_slice(*ends("b")))
    assert (await connection.ask())[0] == "a"
    assert (await world.ask("c", VIP))[0] == "b"
    await world.told(gone=(service(),))
    assert (await connection.ask())[0] == "a"
    connection.close()


async def test_nodes_do_not_lose_what_is_no_service(world: World) -> None:
    await web(world, "a")
    await world.serve("outside", 9000)
    assert (await world.ask("c", pod_address("a"), 8080)) == ("a", pod_address("c"))
    assert (await world.ask("node1", "172.30.9.1", 9000))[0] == "outside"
