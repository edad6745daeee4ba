"""The node network: a bridge in a namespace of its own that joins host, control plane and nodes.

```
  host                      weft-NAME-net                      weft-NAME-node1
  weftX 172.30.X.1 ──veth── wbr0 172.30.X.2 (control plane) ──veth── eth0 172.30.X.11
```
Of the host's own namespace it takes one veth and nothing else: no forwarding, no rule, no route but the link's.
"""

import errno
from collections.abc import Iterable, Sequence
from ipaddress import ip_interface

from weft.addresses import Address, Prefix, nth_subnet, parse_prefix
from weft.kernel.errors import KernelError
from weft.kernel.real import netns
from weft.kernel.real.netlink.network import NetlinkNetwork
from weft.kernel.state.address import LinkAddress
from weft.kernel.state.change import Add, Change, Remove, Replace
from weft.kernel.state.link import Bridge, Link, Veth
from weft.kernel.state.route import Route
from weft.kernel.state.sysctl import Sysctl
from weft.lab.config import NODE_MASK, LabConfig
from weft.lab.layout import Layout

BRIDGE = "wbr0"


def host_link(config: LabConfig) -> str:
    return f"weft{config.subnet}"


def create(config: LabConfig, layout: Layout) -> None:
    """Makes the namespaces and links of the lab; all of them anew if some are left from a killed start."""
    remove(config, layout)
    for name in (layout.underlay_netns, *(layout.node_netns(node) for node in config.node_names())):
        netns.create(name)
    with NetlinkNetwork(layout.underlay_netns) as underlay:
        _apply(underlay, _underlay(config, layout))
        _apply(underlay, _pod_routes(config))
    with NetlinkNetwork("") as host:
        link = host_link(config)
        peer = Link("host", Veth(), master="")
        _apply(host, [Add(Link(link, Veth(peer, layout.underlay_netns)))])
        with NetlinkNetwork(layout.underlay_netns) as underlay:
            _apply(underlay, [Replace(Link("host", Veth(), master=BRIDGE))])
        _apply(host, _addresses(link, config.host_addresses(), config.underlay))
    for node in config.node_names():
        with NetlinkNetwork(layout.node_netns(node)) as inside:
            _apply(inside, _node(config, node))


def remove(config: LabConfig, layout: Layout) -> None:
    """Takes away what `create` made, however much of it there is."""
    with NetlinkNetwork("") as host:
        link = host.link(host_link(config))
        if link is not None and isinstance(link.kind, Veth):
            _apply(host, [Remove(link)], ignore=(errno.ENODEV,))
    for name in (*(layout.node_netns(node) for node in config.node_names()), layout.underlay_netns):
        netns.delete(name)


def taken(ignore: str = "") -> list[Prefix]:
    """The prefixes that the host routes somewhere, those on link `ignore` aside."""
    with NetlinkNetwork("") as host:
        routes = host.observe(links=False, addresses=False, neighbours=False).routes
    return [route.destination for route in routes if not (ignore and route.link == ignore)]


def _underlay(config: LabConfig, layout: Layout) -> list[Change]:
    changes: list[Change] = [
        Replace(Link("lo")),
        Add(Link(BRIDGE, Bridge())),
        Replace(Link(BRIDGE, Bridge())),
        *_addresses(BRIDGE, config.control_plane_addresses(), config.underlay),
    ]
    for node in config.node_names():
        eth0 = Link("eth0", Veth())
        changes += [
            Add(Link(node, Veth(eth0, layout.node_netns(node)))),
            Replace(Link(node, Veth(), master=BRIDGE)),
        ]
    return changes


def _node(config: LabConfig, node: str) -> list[Change]:
    changes: list[Change] = [Replace(Link("lo")), Replace(Link("eth0", Veth()))]
    changes += _addresses("eth0", config.node_addresses(node), config.underlay)
    changes += [
        Add(Route(parse_prefix("0.0.0.0/0" if host.version == 4 else "::/0"), via=host, link="eth0", protocol=4))
        for host in config.host_addresses()
    ]
    # Teaching and probing want pings without privileges; containers run with any group.
    changes.append(Replace(Sysctl("net/ipv4/ping_group_range", "0 2147483647")))
    return changes


def _pod_routes(config: LabConfig) -> list[Change]:
    """The control plane reaches pods (proxy subresources, webhooks) through their nodes."""
    changes: list[Change] = []
    for index, node in enumerate(config.node_names(), start=1):
        for text, via in zip(config.pod_ranges, config.node_addresses(node), strict=True):
            prefix = parse_prefix(text)
            subnet = nth_subnet(prefix, NODE_MASK[prefix.version], index)
            changes.append(Add(Route(subnet, via=via, link=BRIDGE)))
    return changes


def _addresses(link: str, addresses: Sequence[Address], prefixes: Sequence[Prefix]) -> list[Change]:
    return [
        Add(LinkAddress(link, ip_interface(f"{address}/{prefix.prefixlen}")))
        for address, prefix in zip(addresses, prefixes, strict=True)
    ]


def _apply(network: NetlinkNetwork, changes: Sequence[Change], ignore: Iterable[int] = ()) -> None:
    skipped = set(ignore)
    failures: list[KernelError] = [error for error in network.apply(changes) if error.errno not in skipped]
    if failures:
        raise failures[0]
