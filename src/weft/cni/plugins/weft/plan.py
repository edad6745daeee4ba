"""What an attachment means for the kernel, on the node and in the pod, and for the runtime. Pure."""

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_interface, ip_network

from weft.addresses import Address, Prefix
from weft.cni.plugins.weft.config import Settings
from weft.cni.plugins.weft.model import Attachment, alias, mac_of
from weft.cni.result import AddressResult, LinkResult, Result, RouteResult
from weft.ipam.pool import gateway
from weft.kernel.state.address import Interface, LinkAddress
from weft.kernel.state.change import Add, Change, Replace
from weft.kernel.state.link import Link, Port, Veth
from weft.kernel.state.network import NetworkState
from weft.kernel.state.route import Route

BOOT_PROTOCOL = 3
"""RTPROT_BOOT, what `ip route add` writes: the routes in a pod are the pod's own."""
_DEFAULT: Mapping[int, Prefix] = {4: IPv4Network("0.0.0.0/0"), 6: IPv6Network("::/0")}


def on_node(attachment: Attachment, settings: Settings, args: Mapping[str, str]) -> list[Change]:
    """Both ends of the link are born where they belong; nothing is moved or renamed."""
    peer = Link(attachment.ifname, mac=attachment.mac, mtu=settings.mtu)
    return [
        Add(
            Link(
                attachment.link,
                Veth(peer, attachment.netns),
                mtu=settings.mtu,
                master=settings.bridge,
                port=Port(hairpin=True),
                alias=alias(attachment.bare_addresses(), args),
            )
        )
    ]


def in_pod(attachment: Attachment, settings: Settings) -> list[Change]:
    changes: list[Change] = [Replace(Link(attachment.ifname))]
    changes += [Add(address) for address in pod_addresses(attachment, settings)]
    changes += [Replace(route) for route in pod_routes(attachment, settings)]
    return changes


def pod_addresses(attachment: Attachment, settings: Settings) -> list[LinkAddress]:
    def seen(interface: Interface) -> Interface:
        return ip_interface(interface.ip) if settings.routed else interface

    return [LinkAddress(attachment.ifname, seen(interface)) for interface in attachment.interfaces()]


def pod_routes(attachment: Attachment, settings: Settings) -> list[Route]:
    routes = []
    for interface in attachment.interfaces():
        via = gateway(interface.network)
        if settings.routed:
            routes.append(Route(ip_network(via), link=attachment.ifname, protocol=BOOT_PROTOCOL))
        routes.append(Route(_DEFAULT[via.version], via=via, link=attachment.ifname, protocol=BOOT_PROTOCOL))
    return routes


def result(attachment: Attachment, settings: Settings) -> Result:
    """What ADD answers; the pod's link is number 2, after the bridge and the node's end."""
    interfaces = attachment.interfaces()
    return Result(
        links=(
            LinkResult(settings.bridge, bridge_mac(settings), mtu=settings.mtu),
            LinkResult(attachment.link, "", mtu=settings.mtu),
            LinkResult(attachment.ifname, attachment.mac, attachment.netns, settings.mtu),
        ),
        addresses=tuple(AddressResult(interface, 2, gateway(interface.network)) for interface in interfaces),
        routes=tuple(RouteResult(_DEFAULT[interface.version], gateway(interface.network)) for interface in interfaces),
    )


def faults(attachment: Attachment, settings: Settings, link: Link | None, pod: NetworkState) -> list[str]:
    """What differs from how ADD left it, in words; `link` is the node's end, `pod` the state of the pod's namespace."""
    found = []
    if link is None or not link.up:
        found.append(f"link {attachment.link} on the node is {'down' if link else 'missing'}")
    own = pod.link(attachment.ifname)
    if own is None or not own.up:
        found.append(f"link {attachment.ifname} in the container is {'down' if own else 'missing'}")
    elif own.mac != attachment.mac:
        found.append(f"link {attachment.ifname} in the container has MAC {own.mac}, not {attachment.mac}")
    missing = set(pod_addresses(attachment, settings)) - set(pod.addresses)
    found += [f"{address} is missing in the container" for address in sorted(missing, key=str)]
    routes = {(route.destination, route.via) for route in pod.routes}
    wanted = [route for route in pod_routes(attachment, settings) if (route.destination, route.via) not in routes]
    return found + [f"{route} is missing in the container" for route in wanted]


def bridge_mac(settings: Settings) -> str:
    """Made of the primary gateway: the bridge's MAC must not follow that of its ports as they come and go."""
    return mac_of(_primary_gateway(settings))


def _primary_gateway(settings: Settings) -> Address:
    return gateway(settings.ranges[0])
