"""`--dry-run`: what the node would hold, in words; nothing is changed, and root is not needed."""

import sys
from typing import TextIO

from weft.cluster.objects.node import Node
from weft.cluster.objects.resource import NODES
from weft.cluster.port import Cluster
from weft.overlay import conflist, masquerade
from weft.overlay.config import CONFLIST, Config
from weft.overlay.model import member, pod_network
from weft.overlay.plan import Plan, plan


async def show(config: Config, cluster: Cluster, out: TextIO | None = None) -> int:
    nodes = await cluster.list(NODES, as_=Node)
    network = pod_network(config.node, {node.metadata.name: member(node) for node in nodes.items})
    made = plan(network, node=config.node, bridge=config.bridge, mtu=config.mtu or 1500, bridge_filtering=True)
    print("\n".join(lines(config, made)), file=out or sys.stdout)
    return 0


def lines(config: Config, made: Plan) -> list[str]:
    state = made.state
    found = [f"link {link.name} type bridge mtu {link.mtu} address {link.mac} up" for link in state.links]
    found += [f"{address}" for address in state.addresses]
    found += [f"sysctl {sysctl.name} = {sysctl.value}" for sysctl in state.sysctls]
    found += [f"{route}" for route in state.routes]
    found += [f"nft {line}" for line in masquerade.render(config.cluster_ranges).render().splitlines()]
    if made.settings is None:
        found.append(f"not ready: {made.why_not}")
    else:
        found += [f"file {config.conf_dir / CONFLIST}", *conflist.render().decode().splitlines()]
    return found + [f"problem: {problem}" for problem in made.problems]
