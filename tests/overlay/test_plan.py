"""What the Node objects mean for one node: exact states, mistakes of others, five thousand nodes."""

import argparse
import io
import time
from ipaddress import ip_interface
from pathlib import Path
from typing import Any

import pytest
from tests.overlay.nodes import CLUSTER, as_node, config, node_object

from weft.addresses import parse_prefixes
from weft.cluster.fake import FakeCluster
from weft.cluster.objects.node import Node
from weft.cluster.objects.resource import NODES
from weft.cni.plugins.weft import Settings
from weft.kernel.fake.network import FakeWorld
from weft.kernel.fake.nft import FakeNft
from weft.kernel.state.address import LinkAddress
from weft.kernel.state.change import Add
from weft.kernel.state.link import Bridge, Link
from weft.overlay import config as flags
from weft.overlay import masquerade, show
from weft.overlay.agent import Agent
from weft.overlay.model import member, pod_network
from weft.overlay.plan import Plan, plan


def planned(*nodes: dict[str, Any], name: str = "node1", bridge_filtering: bool = True) -> Plan:
    members = {node["metadata"]["name"]: member(as_node(node)) for node in nodes}
    return plan(pod_network(name, members), node=name, bridge="wcni0", mtu=1480, bridge_filtering=bridge_filtering)


def test_a_node_of_a_dual_stack_cluster() -> None:
    made = planned(node_object(1), node_object(2))
    assert made.state.links == (Link("wcni0", Bridge(), mtu=1480, mac="0a:58:0a:f4:01:01"),)
    assert [str(address) for address in made.state.addresses] == [
        "address 10.244.1.1/24 on wcni0",
        "address fd00:10:244:1::1/64 on wcni0",
        "address fe80::1/64 on wcni0",
    ]
    assert [str(route) for route in made.state.routes] == [
        "route 10.244.2.0/24 via 172.30.0.12",
        "route fd00:10:244:2::/64 via fd00:172:30::12",
    ]
    assert [f"{sysctl.name}={sysctl.value}" for sysctl in made.state.sysctls] == [
        "net/ipv4/ip_forward=1",
        "net/ipv6/conf/all/forwarding=1",
        "net/bridge/bridge-nf-call-iptables=1",
        "net/bridge/bridge-nf-call-ip6tables=1",
    ]
    assert made.problems == ()
    made.state.validate()


def test_without_br_netfilter_pods_go_by_the_gateway() -> None:
    made = planned(node_object(1), bridge_filtering=False)
    assert made.settings == Settings("wcni0", parse_prefixes("10.244.1.0/24,fd00:10:244:1::/64"), 1480, routed=True)
    assert "net/ipv4/conf/wcni0/send_redirects" in [sysctl.name for sysctl in made.state.sysctls]


def test_before_the_node_is_known_there_are_only_routes() -> None:
    made = planned(node_object(2))
    assert made.settings is None
    assert "node1 has no pod range yet" in made.why_not
    assert (made.state.links, made.state.addresses, len(made.state.routes)) == ((), (), 2)


def test_mistakes_of_other_nodes_are_told_and_stop_nothing() -> None:
    same, lonely, strange = node_object(2), node_object(3), node_object(4)
    same["spec"]["podCIDRs"] = ["10.244.1.0/24"]
    lonely["status"]["addresses"] = [{"type": "InternalIP", "address": "172.30.0.13"}]
    strange["spec"]["podCIDRs"] = ["not a range", "10.244.4.0/24"]
    made = planned(node_object(1), same, lonely, strange)
    assert [str(route.destination) for route in made.state.routes] == ["10.244.3.0/24", "10.244.4.0/24"]
    assert made.problems == (
        "node node2: range 10.244.1.0/24 is that of this node too",
        "node node3: no InternalIP of the family of fd00:10:244:3::/64",
    )


def test_the_table_masquerades_what_leaves_and_nothing_else() -> None:
    text = masquerade.render(parse_prefixes(CLUSTER)).render()
    assert "ip saddr 10.244.0.0/16 ip daddr != 10.244.0.0/16 fib daddr type unicast masquerade" in text
    assert "ip6 saddr fd00:10:244::/56 ip6 daddr != fd00:10:244::/56" in text


async def test_dry_run_prints_the_plan(tmp_path: Path) -> None:
    cluster = FakeCluster((NODES, node_object(1)), (NODES, node_object(2)))
    out = io.StringIO()
    assert await show.show(config(tmp_path, "node1"), cluster, out) == 0
    printed = out.getvalue()
    for line in ("link wcni0 type bridge mtu 1500", "route 10.244.2.0/24 via 172.30.0.12", '"type": "weft"', "nft "):
        assert line in printed


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--cluster-cidr", "10.244.0.1/16"], "--cluster-cidr: '10.244.0.1/16' has host bits set"),
        (["--cluster-cidr", "10.0.0.0/8,10.1.0.0/16"], "--cluster-cidr"),
        (["--bridge", "a/b"], "--bridge: link name: 'a/b' must not hold a slash"),
        (["--mtu", "5"], "--mtu: 5 is not between"),
        (["--node-name", ""], "--node-name: must not be empty"),
    ],
)
def test_bad_flags_are_named(argv: list[str], words: str) -> None:
    parser = argparse.ArgumentParser()
    flags.add_arguments(parser)
    with pytest.raises(ValueError, match=r"^--") as caught:
        flags.parse(parser.parse_args(["--node-name", "n", "--cluster-cidr", "10.244.0.0/16", *argv]))
    assert words in str(caught.value)


def fake_agent(world: FakeWorld, tmp_path: Path) -> tuple[Agent, list[Settings | None], list[str], list[int]]:
    told: list[Settings | None] = []
    reported: list[str] = []
    triggers: list[int] = []

    async def report(node: Node) -> None:
        reported.append(node.metadata.name)

    agent = Agent(
        config(tmp_path, "node1"),
        world.network("node"),
        FakeNft(),
        configure=lambda settings, why_not: told.append(settings),
        report_ready=report,
        trigger=lambda: triggers.append(1),
        bridge_filtering=True,
    )
    return agent, told, reported, triggers


def a_node(world_name: str = "node") -> FakeWorld:
    world = FakeWorld(world_name)
    eth0: list[Any] = [Add(Link("eth0", Bridge(), mtu=1480))]
    eth0 += [Add(LinkAddress("eth0", ip_interface(text))) for text in ("172.30.0.11/16", "fd00:172:30::11/64")]
    assert world.network(world_name).apply(eth0) == ()
    return world


async def test_heartbeats_of_nodes_trigger_nothing(tmp_path: Path) -> None:
    agent, _, _, triggers = fake_agent(a_node(), tmp_path)
    agent.node_changed("node2", None, as_node(node_object(2)))
    beating = node_object(2)
    beating["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    agent.node_changed("node2", None, as_node(beating))
    assert len(triggers) == 1


async def test_readiness_follows_the_nodes_range(tmp_path: Path) -> None:
    agent, told, reported, _ = fake_agent(a_node(), tmp_path)
    await agent.step()
    assert agent.not_ready is not None
    assert (told, reported, (tmp_path / "net.d").exists()) == ([None], [], False)
    agent.node_changed("node1", None, as_node(node_object(1)))
    await agent.step()
    assert agent.not_ready is None
    assert (len(told), reported) == (2, ["node1"])
    assert [path.name for path in (tmp_path / "net.d").iterdir()] == ["10-weft.conflist"]


async def test_the_nodes_own_link_may_be_known_only_later(tmp_path: Path) -> None:
    world = a_node()
    agent, told, _, _ = fake_agent(world, tmp_path)
    early = node_object(1)
    early["status"] = {}
    for node in (early, node_object(1)):
        agent.node_changed("node1", None, as_node(node))
        await agent.step()
        await agent.step()
    assert [settings.mtu for settings in told if settings] == [1500, 1480]
    bridge = world.network("node").link("wcni0")
    assert bridge is not None
    assert bridge.mtu == 1480


async def test_a_node_that_hears_router_advertisements_goes_on_hearing_them(tmp_path: Path) -> None:
    world = a_node()
    world.of("node").sysctls["net/ipv6/conf/eth0/accept_ra"] = "1"
    agent, _, _, _ = fake_agent(world, tmp_path)
    agent.node_changed("node1", None, as_node(node_object(1)))
    await agent.step()
    assert world.of("node").sysctls["net/ipv6/conf/eth0/accept_ra"] == "2"


async def test_a_deleted_node_object_does_not_cut_its_pods_off(tmp_path: Path) -> None:
    world = a_node()
    agent, told, _, _ = fake_agent(world, tmp_path)
    agent.node_changed("node1", None, as_node(node_object(1)))
    await agent.step()
    agent.node_changed("node1", None, None)
    await agent.step()
    assert None not in told
    assert any(str(address.interface.ip) == "10.244.1.1" for address in world.network("node").observe().addresses)


async def test_a_node_that_cannot_be_reached_does_not_keep_this_one_from_being_ready(tmp_path: Path) -> None:
    agent, _, reported, _ = fake_agent(a_node(), tmp_path)
    lost = node_object(9)
    lost["status"]["addresses"] = [{"type": "InternalIP", "address": "192.0.2.9"}]
    agent.node_changed("node1", None, as_node(node_object(1)))
    agent.node_changed("node9", None, as_node(lost))
    with pytest.raises(OSError, match=r"cannot set route 10\.244\.9\.0/24 via 192\.0\.2\.9: Network is unreachable"):
        await agent.step()
    assert (agent.not_ready, reported) == (None, ["node1"])
    agent.node_changed("node9", None, None)
    await agent.step()


async def test_what_this_node_itself_lacks_keeps_it_from_being_ready(tmp_path: Path) -> None:
    world = a_node()
    world.of("node").sysctls.pop("net/bridge/bridge-nf-call-iptables")
    agent, told, reported, _ = fake_agent(world, tmp_path)
    agent.node_changed("node1", None, as_node(node_object(1)))
    with pytest.raises(OSError, match="cannot set sysctl net/bridge/bridge-nf-call-iptables"):
        await agent.step()
    assert (told, reported) == ([], [])
    assert agent.not_ready == "not started"


async def test_one_change_among_five_thousand_nodes_is_one_change(tmp_path: Path) -> None:
    world = a_node()
    agent, _, _, _ = fake_agent(world, tmp_path)
    agent.node_changed("node1", None, as_node(node_object(1)))
    for number in range(5000):
        agent.node_changed(f"n{number}", None, as_node(far_node(number)))
    await agent.step()
    world.applied.clear()
    moved = far_node(77)
    moved["status"]["addresses"] = [{"type": "InternalIP", "address": "172.30.255.254"}]
    began = time.perf_counter()
    agent.node_changed("n77", None, as_node(moved))
    await agent.step()
    taken = time.perf_counter() - began
    assert [str(change) for _, change in world.applied] == ["set route 10.0.77.0/24 via 172.30.255.254"]
    assert taken < 0.5, f"{taken * 1e3:.0f} ms"


def far_node(number: int) -> dict[str, Any]:
    high, low = divmod(number, 256)
    return {
        "metadata": {"name": f"n{number}"},
        "spec": {"podCIDRs": [f"10.{high}.{low}.0/24"]},
        "status": {"addresses": [{"type": "InternalIP", "address": f"172.30.{high + 1}.{low}"}]},
    }
