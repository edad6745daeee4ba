"""Pods reach pods, themselves, their node and the world as the Kubernetes network model says: with real packets.

```
 pod ── wcni0 ── node1 ── wbr0 (172.30.0.1, "outside") ── node2 ── wcni0 ── pod
```
"""

from collections.abc import AsyncIterator
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from tests.overlay.nodes import Nodes, apply, node_object
from tests.spaces import MakeSpace, echo, ping, seen_from

from weft.cluster.objects.node import Node
from weft.cluster.objects.resource import NODES
from weft.kernel.real.netlink import NetlinkNetwork
from weft.kernel.real.nft import RealNft
from weft.kernel.state.change import Add, Remove, Replace
from weft.kernel.state.link import Link
from weft.kernel.state.route import Route
from weft.kernel.state.sysctl import Sysctl

pytestmark = pytest.mark.root


@pytest.fixture
async def nodes(make_space: MakeSpace, tmp_path: Path) -> AsyncIterator[Nodes]:
    made = Nodes(make_space, tmp_path)
    await made.converge()
    yield made
    made.close()


async def test_pods_reach_each_other_across_nodes_with_their_own_addresses(nodes: Nodes) -> None:
    client, from_addresses = nodes.pod(1, "client")
    server, addresses = nodes.pod(2, "server")
    assert (addresses, from_addresses) == (["10.244.2.2", "fd00:10:244:2::2"], ["10.244.1.2", "fd00:10:244:1::2"])
    for source, address in zip(from_addresses, addresses, strict=True):
        assert ping(client, address) == address
        with echo(server, address):
            assert seen_from(client, address) == source


async def test_pods_of_one_node_reach_each_other_and_their_gateway(nodes: Nodes) -> None:
    client, from_addresses = nodes.pod(1, "client")
    server, addresses = nodes.pod(1, "server")
    for source, address in zip(from_addresses, addresses, strict=True):
        with echo(server, address):
            assert seen_from(client, address) == source
    assert ping(client, "10.244.1.1") == "10.244.1.1"
    assert ping(client, "fd00:10:244:1::1") == "fd00:10:244:1::1"


async def test_nodes_reach_pods_and_pods_reach_themselves(nodes: Nodes) -> None:
    server, addresses = nodes.pod(2, "server")
    for address in addresses:
        with echo(server, address):
            assert seen_from(nodes.nodes[1].netns, address) in ("10.244.2.1", "fd00:10:244:2::1")
            assert seen_from(nodes.nodes[0].netns, address) in ("172.30.0.11", "fd00:172:30::11")
            assert seen_from(server, address) == address


async def test_what_leaves_the_cluster_takes_the_nodes_address(nodes: Nodes) -> None:
    client, _ = nodes.pod(1, "client")
    for outside, seen in (("172.30.0.1", "172.30.0.11"), ("fd00:172:30::1", "fd00:172:30::11")):
        with echo(nodes.underlay, outside):
            assert seen_from(client, outside) == seen


def program_service(node: str, address: str) -> RealNft:
    """The proxy's job, in one rule for 10.96.0.5."""
    nft = RealNft(node)
    nft.run(
        "table ip test-service { chain pre { type nat hook prerouting priority -100; "
        f"ip daddr 10.96.0.5 dnat to {address}; }}; chain post {{ type nat hook postrouting priority 90; "
        f"ip saddr {address} ip daddr {address} masquerade; }}; }}"
    )
    return nft


def check_service(nodes: Nodes) -> None:
    server, (address, _) = nodes.pod(1, "server")
    client, (other, _) = nodes.pod(1, "client")
    nft = program_service(nodes.nodes[0].netns, address)
    with echo(server, address):
        assert seen_from(client, "10.96.0.5") == other
        assert seen_from(server, "10.96.0.5") == "10.244.1.1"
    nft.close()


async def test_a_service_on_the_bridge_and_a_pod_that_calls_itself_through_it(nodes: Nodes) -> None:
    """The answers pass nftables only thanks to bridge-nf-call and hairpin."""
    check_service(nodes)


async def test_the_same_on_a_kernel_without_br_netfilter(make_space: MakeSpace, tmp_path: Path) -> None:
    nodes = Nodes(make_space, tmp_path, bridge_filtering=False)
    for node in nodes.nodes:
        apply(
            node.netns,
            *(Replace(Sysctl(f"net/bridge/bridge-nf-call-{name}", "0")) for name in ("iptables", "ip6tables")),
        )
    await nodes.converge()
    check_service(nodes)
    client, from_addresses = nodes.pod(1, "client")
    for number in (1, 2):
        server, addresses = nodes.pod(number, "server")
        for source, address in zip(from_addresses, addresses, strict=True):
            with echo(server, address):
                assert seen_from(client, address) == source
    nodes.nodes[0].call("CHECK", client)
    nodes.close()


async def test_nodes_that_come_and_go_take_their_routes_with_them(nodes: Nodes) -> None:
    def routes() -> set[str]:
        with NetlinkNetwork(nodes.nodes[0].netns) as network:
            return {str(route) for route in network.observe(route_protocol=87).routes}

    two = {"route 10.244.2.0/24 via 172.30.0.12 dev eth0", "route fd00:10:244:2::/64 via fd00:172:30::12 dev eth0"}
    assert routes() == two
    nodes.tell("node3", node_object(3))
    await nodes.step()
    assert "route 10.244.3.0/24 via 172.30.0.13 dev eth0" in routes()
    nodes.tell("node3", None)
    await nodes.step()
    assert routes() == two


async def test_stale_routes_of_an_earlier_run_go_and_those_of_others_stay(
    make_space: MakeSpace, tmp_path: Path
) -> None:
    nodes = Nodes(make_space, tmp_path)
    stale = Route(ip_network("10.244.77.0/24"), via=ip_address("172.30.0.1"))
    foreign = Route(ip_network("10.99.0.0/16"), via=ip_address("172.30.0.1"), protocol=4)
    apply(nodes.nodes[0].netns, Add(stale), Add(foreign))
    await nodes.converge()
    with NetlinkNetwork(nodes.nodes[0].netns) as network:
        found = {str(route.destination) for route in network.observe().routes}
    assert "10.244.77.0/24" not in found
    assert "10.99.0.0/16" in found
    nodes.close()


async def test_what_others_break_is_mended_at_the_next_resync(nodes: Nodes) -> None:
    client, _ = nodes.pod(1, "client")
    server, (address, _) = nodes.pod(2, "server")
    node = nodes.nodes[0]
    apply(
        node.netns,
        Remove(Route(ip_network("10.244.2.0/24"), via=ip_address("172.30.0.12"))),
        Replace(Sysctl("net/ipv4/ip_forward", "0")),
    )
    node.agent.forget()
    await node.agent.step()
    with echo(server, address):
        assert seen_from(client, address) == "10.244.1.2"


async def test_a_ready_node_says_so_with_its_conflist_and_its_condition(nodes: Nodes) -> None:
    written = nodes.nodes[0].directory / "net.d" / "10-weft.conflist"
    assert b'"type": "weft"' in written.read_bytes()
    found = await nodes.cluster.get(NODES, "node1", as_=Node)
    assert [(c.type, c.status) for c in found.status.conditions or ()] == [("NetworkUnavailable", "False")]


async def test_links_have_the_mtu_of_the_nodes_own(nodes: Nodes) -> None:
    client, _ = nodes.pod(1, "client")
    with NetlinkNetwork(client) as pod, NetlinkNetwork(nodes.nodes[0].netns) as node:
        links = [pod.link("eth0"), node.link("wcni0")]
    assert [link.mtu for link in links if link] == [1480, 1480]


async def test_the_bridge_keeps_its_mac_while_ports_come_and_go(nodes: Nodes) -> None:
    def mac() -> Link | None:
        with NetlinkNetwork(nodes.nodes[0].netns) as network:
            return network.link("wcni0")

    before = mac()
    space, _ = nodes.pod(1, "one")
    nodes.nodes[0].call("DEL", space)
    after = mac()
    assert before is not None and after is not None
    assert before.mac == after.mac == "0a:58:0a:f4:01:01"
