"""From what is to what should be, in the order in which the kernel takes it. Pure."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from weft.addresses import Prefix
from weft.kernel.state.change import Add, Change, Item, Remove, Replace
from weft.kernel.state.link import Link
from weft.kernel.state.network import NetworkState
from weft.kernel.state.route import Route

K = TypeVar("K")
V = TypeVar("V")
RouteKey = tuple[Prefix, int, int]


def diff(observed: NetworkState, desired: NetworkState, owned: Callable[[Item], bool]) -> list[Change]:
    """What is not as desired is made so; what is `owned` and not desired goes. Nothing else is touched.

    Stale routes and addresses go first, then come links, addresses, system controls and routes: each needs the ones
    before it.
    """
    wanted_routes, found_routes = _routes(desired), _routes(observed)
    stale: list[Change] = [
        Remove(route) for key, route in found_routes.items() if key not in wanted_routes and owned(route)
    ]
    stale += [Remove(address) for address in observed.addresses if address not in desired.addresses and owned(address)]
    return [
        *stale,
        *_links(observed, desired),
        *(Add(address) for address in _missing(desired.addresses, observed.addresses)),
        *(Replace(sysctl) for sysctl in _missing(desired.sysctls, observed.sysctls)),
        *(Replace(route) for key, route in wanted_routes.items() if not _same_route(found_routes.get(key), route)),
        *(Replace(entry) for entry in _missing(desired.neighbours, observed.neighbours)),
        *(Replace(entry) for entry in _missing(desired.forwarding, observed.forwarding)),
        *(Remove(entry) for entry in _missing(observed.neighbours, desired.neighbours) if owned(entry)),
        *(Remove(entry) for entry in _missing(observed.forwarding, desired.forwarding) if owned(entry)),
    ]


def _missing(wanted: Iterable[V], found: Iterable[V]) -> list[V]:
    there = set(found)
    return [item for item in wanted if item not in there]


def _links(observed: NetworkState, desired: NetworkState) -> list[Change]:
    changes: list[Change] = []
    found: Mapping[str, Link] = {link.name: link for link in observed.links}
    for link in desired.links:
        there = found.get(link.name)
        if there is None:
            changes.append(Add(link))
        elif not _same_link(there, link):
            changes.append(Replace(link))
    return changes


def _same_link(there: Link, wanted: Link) -> bool:
    """None in `wanted` fits whatever there is."""
    return (
        there.up == wanted.up
        and there.master == wanted.master
        and wanted.mtu in (None, there.mtu)
        and wanted.mac in (None, there.mac)
        and wanted.port in (None, there.port)
        and wanted.alias in (None, there.alias)
    )


def _routes(state: NetworkState) -> dict[RouteKey, Route]:
    return {route.key(): route for route in state.routes}


def _same_route(there: Route | None, wanted: Route) -> bool:
    """Without a link in `wanted`, any link by which the kernel found the next hop will do."""
    return there is not None and (
        there.via == wanted.via
        and there.kind == wanted.kind
        and there.protocol == wanted.protocol
        and wanted.link in ("", there.link)
        and wanted.source in (None, there.source)
    )
