"""Nodes of a cluster as namespaces on one bridge, each with the agent and the CNI plugin of `weft network`."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path
from typing import Any

import msgspec
from tests.spaces import MakeSpace

from weft.addresses import parse_prefixes
from weft.cluster.fake import FakeCluster
from weft.cluster.objects.node import Node
from weft.cluster.objects.resource import NODES
from weft.cni.dispatch import dispatch
from weft.cni.plugins.loopback import LoopbackPlugin
from weft.cni.plugins.weft import Attachment, WeftPlugin
from weft.ipam.journal import Journal
from weft.kernel.real.netlink import NetlinkNetwork
from weft.kernel.real.nft import RealNft
from weft.kernel.state.address import LinkAddress
from weft.kernel.state.change import Add, Change, Replace
from weft.kernel.state.link import Bridge, Link, Veth
from weft.kernel.state.route import Route
from weft.overlay.agent import Agent
from weft.overlay.condition import Reporter
from weft.overlay.config import Config

CLUSTER = "10.244.0.0/16,fd00:10:244::/56"


def node_object(number: int) -> dict[str, Any]:
    return {
        "metadata": {"name": f"node{number}"},
        "spec": {"podCIDRs": [f"10.244.{number}.0/24", f"fd00:10:244:{number}::/64"]},
        "status": {
            "addresses": [
                {"type": "InternalIP", "address": f"172.30.0.{10 + number}"},
                {"type": "InternalIP", "address": f"fd00:172:30::{10 + number}"},
                {"type": "Hostname", "address": f"node{number}"},
            ]
        },
    }


def as_node(obj: dict[str, Any]) -> Node:
    return msgspec.convert(obj, Node)


def config(directory: Path, name: str) -> Config:
    return Config(
        node=name,
        cluster_ranges=parse_prefixes(CLUSTER),
        bridge="wcni0",
        conf_dir=directory / "net.d",
        bin_dir=directory / "bin",
        socket=directory / "cni.sock",
        state_dir=directory,
        mtu=0,
    )


@dataclass
class TestNode:
    __test__ = False
    netns: str
    directory: Path
    agent: Agent
    plugin: WeftPlugin
    pods: dict[str, str] = field(default_factory=dict)

    def call(self, verb: str, pod: str, **config: Any) -> dict[str, Any]:
        environment = {
            "CNI_COMMAND": verb,
            "CNI_CONTAINERID": pod,
            "CNI_NETNS": f"/run/netns/{pod}",
            "CNI_IFNAME": "eth0",
            "CNI_ARGS": f"IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME={pod}",
        }
        document = {"cniVersion": "1.1.0", "name": "weft", "type": "weft", **config}
        plugins = {"weft": self.plugin, "loopback": LoopbackPlugin(NetlinkNetwork)}
        output, status = dispatch(plugins, environment, msgspec.json.encode(document))
        assert status == 0, output
        found: dict[str, Any] = msgspec.json.decode(output) if output else {}
        return found

    def add(self, pod: str) -> list[str]:
        """The pod's addresses."""
        self.call("ADD", pod, type="loopback")
        return [str(ip_interface(entry["address"]).ip) for entry in self.call("ADD", pod)["ips"]]


class Nodes:
    def __init__(
        self, make_space: MakeSpace, directory: Path, count: int = 2, *, bridge_filtering: bool = True
    ) -> None:
        self.make_space = make_space
        self._bridge_filtering = bridge_filtering
        self.cluster = FakeCluster(*((NODES, node_object(number)) for number in range(1, count + 1)))
        self.underlay = make_space("net")
        apply(self.underlay, Replace(Link("lo")), Add(Link("wbr0", Bridge())), *host("wbr0", 1))
        self.nodes = [self._node(directory, number) for number in range(1, count + 1)]

    def _node(self, directory: Path, number: int) -> TestNode:
        name = f"node{number}"
        space = self.make_space(name)
        own = directory / name
        apply(self.underlay, Add(Link(name, Veth(Link("eth0", mtu=1480), space), master="wbr0", mtu=1480)))
        via: Sequence[str] = ("172.30.0.1", "fd00:172:30::1")
        defaults = [ip_network("0.0.0.0/0"), ip_network("::/0")]
        apply(
            space,
            Replace(Link("lo")),
            Replace(Link("eth0")),
            *host("eth0", 10 + number),
            *(Add(Route(to, via=ip_address(hop), protocol=4)) for to, hop in zip(defaults, via, strict=True)),
        )
        plugin = WeftPlugin(Journal(own / "attachments", Attachment), lambda netns: NetlinkNetwork(netns or space))
        plugin.start()
        agent = Agent(
            config(own, name),
            NetlinkNetwork(space),
            RealNft(space),
            configure=plugin.configure,
            report_ready=Reporter(self.cluster, lambda: "2026-01-01T00:00:00Z"),
            bridge_filtering=self._bridge_filtering,
        )
        return TestNode(space, own, agent, plugin)

    def tell(self, key: str, obj: dict[str, Any] | None) -> None:
        for node in self.nodes:
            node.agent.node_changed(key, None, as_node(obj) if obj else None)

    async def converge(self) -> None:
        for number in range(1, len(self.nodes) + 1):
            self.tell(f"node{number}", node_object(number))
        await self.step()

    async def step(self) -> None:
        await asyncio.gather(*(node.agent.step() for node in self.nodes))

    def pod(self, node: int, word: str) -> tuple[str, list[str]]:
        """A pod's namespace on node number `node`, attached; and its addresses."""
        space = self.make_space(word)
        return space, self.nodes[node - 1].add(space)

    def close(self) -> None:
        for node in self.nodes:
            node.plugin.close()
            node.agent.close()


def host(link: str, number: int) -> list[Change]:
    return [
        Add(LinkAddress(link, ip_interface(f"172.30.0.{number}/24"))),
        Add(LinkAddress(link, ip_interface(f"fd00:172:30::{number}/64"))),
        # Not to wait for the kernel's own one to pass its duplicate address detection.
        Add(LinkAddress(link, ip_interface(f"fe80::{number}/64"))),
    ]


def apply(space: str, *changes: Change) -> None:
    with NetlinkNetwork(space) as network:
        failures = network.apply(changes)
    assert not failures, failures
