"""What this node must hold for the pod network: links, addresses, routes, system controls. Pure.

```
pods ── veth ── bridge wcni0 (first address of each range) ── this node ── eth0 ── via each other node ── its pods
```
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_interface

from weft.addresses import Prefix
from weft.cni.plugins.weft import Settings
from weft.cni.plugins.weft.plan import bridge_mac
from weft.ipam.pool import gateway
from weft.kernel.state.address import LinkAddress
from weft.kernel.state.change import Item
from weft.kernel.state.link import Bridge, Link
from weft.kernel.state.network import NetworkState
from weft.kernel.state.route import WEFT_PROTOCOL, Route
from weft.kernel.state.sysctl import Sysctl
from weft.overlay.model import Member, PodNetwork

_FORWARD = {4: "net/ipv4/ip_forward", 6: "net/ipv6/conf/all/forwarding"}
_BRIDGE_CALLS = {4: "net/bridge/bridge-nf-call-iptables", 6: "net/bridge/bridge-nf-call-ip6tables"}
_ROUTER = ip_interface("fe80::1/64")
BRIDGE_FILTERING = _BRIDGE_CALLS[4]
"""Exists where br_netfilter is there."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`settings` are for the CNI plugin: None while pods cannot be attached, for the reason in `why_not`."""

    state: NetworkState
    settings: Settings | None
    why_not: str = ""
    problems: tuple[str, ...] = ()
    """What about other nodes keeps their pods from being reached, in words."""


def plan(
    network: PodNetwork, *, node: str, bridge: str, mtu: int, bridge_filtering: bool, advertised: str = ""
) -> Plan:
    """`bridge_filtering`: packets between ports of a bridge pass nftables (br_netfilter is there). `advertised`: the
    link by which the node hears IPv6 router advertisements."""
    routes, problems = _routes(network)
    if network.own is None:
        why_not = f"node {node} has no pod range yet (spec.podCIDRs; controllers assign it)"
        return Plan(NetworkState(routes=routes), None, why_not, problems)
    ranges = network.own.ranges
    settings = Settings(bridge, ranges, mtu, routed=not bridge_filtering)
    state = NetworkState(
        links=(Link(bridge, Bridge(), mtu=mtu, mac=bridge_mac(settings)),),
        addresses=_bridge_addresses(bridge, ranges),
        routes=routes,
        sysctls=(*_sysctls(ranges, bridge, bridge_filtering), *_advertisements(ranges, advertised)),
    )
    return Plan(state, settings, "", problems)


def _bridge_addresses(bridge: str, ranges: Sequence[Prefix]) -> tuple[LinkAddress, ...]:
    found = [LinkAddress(bridge, ip_interface((gateway(prefix), prefix.prefixlen))) for prefix in ranges]
    if any(prefix.version == 6 for prefix in ranges):
        # A router asks for neighbours from its link-local address (ndisc_send_ns), and the kernel's own one is still
        # being checked for duplicates up to two seconds after the first pod's link brings the bridge up.
        found.append(LinkAddress(bridge, _ROUTER))
    return tuple(found)


def _sysctls(ranges: Sequence[Prefix], bridge: str, bridge_filtering: bool) -> tuple[Sysctl, ...]:
    versions = [prefix.version for prefix in ranges]
    found = [Sysctl(_FORWARD[version], "1") for version in versions]
    if bridge_filtering:
        # Or the answer of a Service's pod to a pod on the same bridge would never be translated back.
        found += [Sysctl(_BRIDGE_CALLS[version], "1") for version in versions]
    elif 4 in versions:
        # Routed back by the link they came from: no advice to skip the router, please.
        found.append(Sysctl(f"net/ipv4/conf/{bridge}/send_redirects", "0"))
    return tuple(found)


def _advertisements(ranges: Sequence[Prefix], link: str) -> tuple[Sysctl, ...]:
    """A node that forwards IPv6 would forget its own default route: routers do not listen to routers, but with 2."""
    if not link or all(prefix.version == 4 for prefix in ranges):
        return ()
    return (Sysctl(accept_advertisements(link), "2"),)


def accept_advertisements(link: str) -> str:
    return f"net/ipv6/conf/{link}/accept_ra"


def _routes(network: PodNetwork) -> tuple[tuple[Route, ...], tuple[str, ...]]:
    taken: dict[Prefix, str] = dict.fromkeys(network.own.ranges if network.own else (), "this node")
    routes: list[Route] = []
    problems: list[str] = []
    for other in network.others:
        # A node that has only just registered tells its addresses a moment later.
        for prefix in other.ranges if other.addresses else ():
            if prefix in taken:
                problems.append(f"node {other.name}: range {prefix} is that of {taken[prefix]} too")
            elif (via := other.next_hop(prefix)) is None:
                problems.append(f"node {other.name}: no InternalIP of the family of {prefix}")
            else:
                taken[prefix] = f"node {other.name}"
                routes.append(Route(prefix, via=via))
    return tuple(routes), tuple(problems)


def owned(item: Item, bridge: str) -> bool:
    """What goes when the plan does not have it: routes by Weft's protocol number, addresses on the bridge (but for the
    link-local one, which is the kernel's)."""
    match item:
        case Route(protocol=protocol):
            return protocol == WEFT_PROTOCOL
        case LinkAddress(link=link, interface=interface):
            return link == bridge and not interface.is_link_local
    return False


def uplink(state: NetworkState, own: Member | None) -> Link | None:
    """The link with one of the node's own addresses; the one of the smallest MTU, should there be several."""
    addresses = set(own.addresses) if own else set()
    names = {address.link for address in state.addresses if address.interface.ip in addresses}
    return min((link for link in state.links if link.name in names), key=lambda link: link.mtu or 0, default=None)
