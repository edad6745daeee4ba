"""What the Node object and the node's own addresses mean to the proxy. Pure."""

from collections.abc import Iterable

from weft.addresses import Address, Prefix, parse_address
from weft.cluster.objects.node import Node
from weft.proxy.model import NodeView

ZONE_LABEL = "topology.kubernetes.io/zone"


def view(name: str, node: Node | None, ranges: tuple[Prefix, ...] | None, own: Iterable[Address]) -> NodeView:
    """`ranges` and `own` as for `port_addresses`. An address of the Node that is none is left out."""
    if node is None:
        return NodeView(name, port_addresses=port_addresses((), ranges, own))
    held = []
    for text in node.internal_addresses():
        try:
            held.append(parse_address(text))
        except ValueError:
            continue
    zone = (node.metadata.labels or {}).get(ZONE_LABEL, "")
    return NodeView(name, zone, tuple(held), port_addresses(held, ranges, own))


def port_addresses(
    internal: Iterable[Address], ranges: tuple[Prefix, ...] | None, own: Iterable[Address]
) -> tuple[Address, ...]:
    """Where NodePorts answer: the Node's internal addresses, or, if `ranges` are given, the `own` ones in them.

    Never on loopback addresses: the kernel does not route them to another node.
    """
    if ranges is None:
        return tuple(internal)
    return tuple(
        sorted(
            {one for one in own if not one.is_loopback and any(one in held for held in ranges)},
            key=lambda one: (one.version, int(one)),
        )
    )
