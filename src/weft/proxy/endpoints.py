"""The endpoints of one Service port, merged from its slices (KEP-0752)."""

from collections.abc import Callable, Iterable
from ipaddress import IPv6Address
from typing import NamedTuple

from weft.cluster.objects.endpointslice import EndpointConditions
from weft.proxy.objects import EndpointSlice, SliceEndpoint


class Endpoint(NamedTuple):
    """Where connections may go: an address (network byte order), a port, and what the slice says about it."""

    address: bytes
    port: int
    local: bool = False
    """On this node."""
    ready: bool = True
    draining: bool = False
    """Terminating but still serving: the last resort."""
    zones: frozenset[str] = frozenset()
    """Zones that it is meant for (topology hints)."""
    nodes: frozenset[str] = frozenset()


_PLAIN = EndpointConditions()
_READY = EndpointConditions(ready=True, serving=True, terminating=False)
_NONE: frozenset[str] = frozenset()


_OCTETS = {str(number): number for number in range(256)}


def packed(text: str) -> bytes:
    """The bytes of an address. ValueError where it is none. (Five times the speed of `ipaddress` for IPv4.)"""
    if ":" in text:
        return IPv6Address(text).packed
    try:
        first, second, third, fourth = text.split(".")
        return bytes((_OCTETS[first], _OCTETS[second], _OCTETS[third], _OCTETS[fourth]))
    except (KeyError, ValueError):
        raise ValueError(f"{text!r} is not an IP address") from None


def candidates(
    slices: Iterable[EndpointSlice], port_name: str, protocol: str, node: str, complain: Callable[[str], None]
) -> list[Endpoint]:
    """Every endpoint that the slices (of one address family) list for a Service's port, once, in order of address.

    During a change an endpoint may lie in two slices. And two pods may have one address, when the network gives it out
    again before the old pod is quite gone: the one that is not terminating wins.
    """
    found: dict[tuple[bytes, int], Endpoint] = {}
    for one in slices:
        numbers = [
            p.port
            for p in one.ports or ()
            if p.port and 0 < p.port < 65536 and (p.name or "") == port_name and (p.protocol or "TCP") == protocol
        ]
        for number in numbers:
            for listed in one.endpoints or ():
                try:
                    address = packed(listed.addresses[0])
                except (ValueError, IndexError):
                    complain(f"EndpointSlice {one.metadata.name}: endpoint {list(listed.addresses)} has no IP address")
                    continue
                if (address, number) not in found or not listed.conditions.terminating:
                    found[address, number] = _endpoint(listed, address, number, node)
    return sorted(found.values())


def _endpoint(listed: SliceEndpoint, address: bytes, port: int, node: str) -> Endpoint:
    local = listed.node_name == node and node != ""
    conditions, hints = listed.conditions, listed.hints
    if hints is None and conditions in (_READY, _PLAIN):
        return Endpoint(address, port, local)
    ready = conditions.ready is not False
    draining = not ready and conditions.serving is not False and conditions.terminating is True
    zones = frozenset(zone.name for zone in hints.for_zones or ()) if hints else _NONE
    nodes = frozenset(name.name for name in hints.for_nodes or ()) if hints else _NONE
    return Endpoint(address, port, local, ready, draining, zones, nodes)
