"""A kernel's links, addresses and routes in memory, for tests: namespaces are entries of a `FakeWorld`.

It refuses what the real one refuses, with the same errno, as far as Weft relies on it; `tests/kernel` holds both to the
same suite. It forwards no packets and makes no link-local addresses.
"""

import errno
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TypeVar

from weft.addresses import Address
from weft.kernel.errors import KernelError
from weft.kernel.state.address import LinkAddress
from weft.kernel.state.change import Add, Change, Regroup, Remove, RemoveGroup, Replace
from weft.kernel.state.diff import RouteKey
from weft.kernel.state.link import Link, Port, Veth
from weft.kernel.state.neighbour import Forwarding, Neighbour
from weft.kernel.state.network import NetworkState
from weft.kernel.state.route import Route
from weft.kernel.state.sysctl import Sysctl

T = TypeVar("T")

_KERNEL_PROTOCOL = 2
_SYSCTLS = {
    "net/ipv4/ip_forward": "0",
    "net/ipv6/conf/all/forwarding": "0",
    "net/bridge/bridge-nf-call-iptables": "0",
    "net/bridge/bridge-nf-call-ip6tables": "0",
}


@dataclass(slots=True)
class _Namespace:
    links: dict[str, Link] = field(default_factory=lambda: {"lo": Link("lo", up=False, mtu=65536, index=1)})
    peers: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Name of a veth → namespace and name of its peer."""
    addresses: list[LinkAddress] = field(default_factory=list)
    routes: dict[RouteKey, Route] = field(default_factory=dict)
    neighbours: list[Neighbour | Forwarding] = field(default_factory=list)
    sysctls: dict[str, str] = field(default_factory=lambda: dict(_SYSCTLS))


class FakeWorld:
    """All namespaces of a machine. "" is the one that tests run in."""

    def __init__(self, *names: str) -> None:
        self._namespaces = {name: _Namespace() for name in ("", *names)}
        self._macs = count(1)
        self.applied: list[tuple[str, Change]] = []
        """Every change in order, with its namespace."""

    def network(self, netns: str = "") -> "FakeNetwork":
        """As opening a namespace: KernelError ENOENT where there is none."""
        if netns not in self._namespaces:
            raise KernelError(errno.ENOENT, f"open network namespace {netns}")
        return FakeNetwork(self, netns)

    def delete(self, netns: str) -> None:
        """The namespace ends, and its links with it."""
        for name in list(self.of(netns).links):
            self.remove_link(netns, name)
        del self._namespaces[netns]

    def of(self, netns: str) -> _Namespace:
        if netns not in self._namespaces:
            raise KernelError(errno.ENOENT, f"open network namespace {netns}")
        return self._namespaces[netns]

    def add_link(self, netns: str, link: Link) -> None:
        space = self.of(netns)
        index = max((there.index for there in space.links.values()), default=0) + 1
        mac = link.mac or f"02:00:00:00:00:{next(self._macs) & 255:02x}"
        port = link.port or (Port() if link.master else None)
        kind = Veth() if isinstance(link.kind, Veth) else link.kind
        space.links[link.name] = replace(link, index=index, mac=mac, mtu=link.mtu or 1500, port=port, kind=kind)

    def remove_link(self, netns: str, name: str) -> None:
        space = self.of(netns)
        space.links.pop(name, None)
        space.addresses = [address for address in space.addresses if address.link != name]
        space.routes = _without(space.routes, name)
        space.neighbours = [entry for entry in space.neighbours if entry.link != name]
        for port, link in space.links.items():
            if link.master == name:
                space.links[port] = replace(link, master="", port=None)
        peer = space.peers.pop(name, None)
        if peer is not None:
            self.of(peer[0]).peers.pop(peer[1], None)
            self.remove_link(*peer)


class FakeNetwork:
    """`kernel.port.Network` in a `FakeWorld`."""

    def __init__(self, world: FakeWorld, netns: str) -> None:
        self._world = world
        self._netns = netns

    @property
    def _space(self) -> _Namespace:
        return self._world.of(self._netns)

    def close(self) -> None:
        pass

    def link(self, name: str) -> Link | None:
        link = self._space.links.get(name)
        return replace(link, master="") if link else None

    def observe(
        self,
        *,
        links: bool = True,
        addresses: bool = True,
        routes: bool = True,
        neighbours: bool = True,
        route_protocol: int = 0,
        sysctls: Iterable[str] = (),
    ) -> NetworkState:
        space = self._space
        all_routes = [*_connected(space), *space.routes.values()]
        entries = space.neighbours if neighbours else []
        return NetworkState(
            links=tuple(space.links.values()) if links else (),
            addresses=tuple(space.addresses) if addresses else (),
            routes=tuple(route for route in all_routes if route_protocol in (0, route.protocol)) if routes else (),
            neighbours=tuple(entry for entry in entries if isinstance(entry, Neighbour)),
            forwarding=tuple(entry for entry in entries if isinstance(entry, Forwarding)),
            sysctls=tuple(Sysctl(name, space.sysctls[name]) for name in sysctls if name in space.sysctls),
        )

    def apply(self, changes: Sequence[Change]) -> tuple[KernelError, ...]:
        for change in changes:
            if not isinstance(change, RemoveGroup | Regroup | Remove):
                change.item.validate()
        failures = []
        for change in changes:
            self._world.applied.append((self._netns, change))
            try:
                self._apply(change)
            except KernelError as error:
                failures.append(KernelError(error.errno or 0, change))
        return tuple(failures)

    def _apply(self, change: Change) -> None:
        match change:
            case Add(item=Link() as link):
                self._add_link(link)
            case Replace(item=Link() as link):
                self._set_link(link)
            case Remove(item=Link(name=name)):
                self._need(name)
                self._world.remove_link(self._netns, name)
            case RemoveGroup(group=group):
                self._remove_group(group)
            case Regroup(link=name, group=group):
                self._space.links[name] = replace(self._need(name), group=group)
            case Replace(item=Sysctl(name=name, value=value)):
                if name not in self._space.sysctls:
                    raise KernelError(errno.ENOENT, change)
                self._space.sysctls[name] = value
            case _:
                self._change_entry(change)

    def _change_entry(self, change: Change) -> None:
        match change:
            case Add(item=LinkAddress() as address) | Replace(item=LinkAddress() as address):
                self._add_address(address, exclusive=isinstance(change, Add))
            case Remove(item=LinkAddress() as address):
                self._need(address.link)
                _remove(self._space.addresses, address, errno.EADDRNOTAVAIL)
            case Add(item=Route() as route) | Replace(item=Route() as route):
                self._add_route(route, exclusive=isinstance(change, Add))
            case Remove(item=Route() as route):
                if self._space.routes.pop(route.key(), None) is None:
                    raise KernelError(errno.ESRCH, change)
            case Add(item=entry) | Replace(item=entry) if isinstance(entry, Neighbour | Forwarding):
                self._need(entry.link)
                space = self._space
                space.neighbours = [there for there in space.neighbours if not _same_entry(there, entry)] + [entry]
            case Remove(item=entry) if isinstance(entry, Neighbour | Forwarding):
                self._need(entry.link)
                _remove(self._space.neighbours, entry, errno.ENOENT)

    def _need(self, name: str) -> Link:
        link = self._space.links.get(name)
        if link is None:
            raise KernelError(errno.ENODEV, f"find link {name}")
        return link

    def _add_link(self, link: Link) -> None:
        space = self._space
        if link.master:
            self._need(link.master)
        if link.name in space.links:
            raise KernelError(errno.EEXIST, f"add {link}")
        if isinstance(link.kind, Veth) and link.kind.peer is not None:
            target, peer = link.kind.netns or self._netns, link.kind.peer
            if peer.name in self._world.of(target).links:
                raise KernelError(errno.EEXIST, f"add {link}")
            self._world.add_link(target, replace(peer, up=False, kind=Veth()))
            space.peers[link.name] = (target, peer.name)
            self._world.of(target).peers[peer.name] = (self._netns, link.name)
        self._world.add_link(self._netns, link)

    def _set_link(self, link: Link) -> None:
        there = self._need(link.name)
        if link.master:
            self._need(link.master)
        self._space.links[link.name] = replace(
            there,
            up=link.up,
            mtu=link.mtu or there.mtu,
            mac=link.mac or there.mac,
            master=link.master,
            port=(link.port or there.port or Port()) if link.master else None,
            group=link.group,
            alias=there.alias if link.alias is None else link.alias,
        )
        if not link.up:
            self._space.routes = _without(self._space.routes, link.name)

    def _remove_group(self, group: int) -> None:
        names = [link.name for link in self._space.links.values() if link.group == group]
        if not names:
            raise KernelError(errno.ENODEV, RemoveGroup(group))
        for name in names:
            self._world.remove_link(self._netns, name)

    def _add_address(self, address: LinkAddress, *, exclusive: bool) -> None:
        self._need(address.link)
        if address not in self._space.addresses:
            self._space.addresses.append(address)
        elif exclusive:
            raise KernelError(errno.EEXIST, f"add {address}")

    def _add_route(self, route: Route, *, exclusive: bool) -> None:
        if route.link:
            self._need(route.link)
        space = self._space
        if route.key() in space.routes and exclusive:
            raise KernelError(errno.EEXIST, f"add {route}")
        link = route.link or (self._link_to(route.via) if route.via else "")
        if route.via is not None and not route.onlink:
            self._link_to(route.via)
        space.routes[route.key()] = replace(route, link=link)

    def _link_to(self, via: Address) -> str:
        space = self._space
        for address in space.addresses:
            if space.links[address.link].up and via in address.interface.network:
                return address.link
        for route in space.routes.values():
            if route.via is None and via in route.destination:
                return route.link
        raise KernelError(errno.ENETUNREACH if via.version == 4 else errno.EHOSTUNREACH, f"reach {via}")


def _without(routes: dict[RouteKey, Route], link: str) -> dict[RouteKey, Route]:
    return {key: route for key, route in routes.items() if route.link != link}


def _connected(space: _Namespace) -> list[Route]:
    """Routes that the kernel makes for addresses of links that are up."""
    return [
        Route(
            address.interface.network,
            link=address.link,
            source=address.interface.ip if address.interface.version == 4 else None,
            protocol=_KERNEL_PROTOCOL,
            metric=0 if address.interface.version == 4 else 256,
        )
        for address in space.addresses
        if space.links[address.link].up
        and not address.interface.ip.is_loopback
        and (address.interface.version == 6 or address.interface.network.prefixlen < 32)
    ]


def _same_entry(one: Neighbour | Forwarding, other: Neighbour | Forwarding) -> bool:
    if isinstance(one, Neighbour) and isinstance(other, Neighbour):
        return (one.link, one.address) == (other.link, other.address)
    return (
        isinstance(one, Forwarding) and isinstance(other, Forwarding) and (one.link, one.mac) == (other.link, other.mac)
    )


def _remove(items: list[T], item: T, code: int) -> None:
    if item not in items:
        raise KernelError(code, f"remove {item}")
    items.remove(item)
