"""What the Node objects mean for the pod network. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from weft.addresses import Address, Prefix, parse_address, parse_prefix
from weft.cluster.objects.node import Node

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Member:
    """A node, as far as packets are concerned."""

    name: str
    ranges: tuple[Prefix, ...] = ()
    """Its `spec.podCIDRs`."""
    addresses: tuple[Address, ...] = ()
    """Its InternalIPs."""

    def next_hop(self, prefix: Prefix) -> Address | None:
        """The node's address of the prefix' family."""
        return next((address for address in self.addresses if address.version == prefix.version), None)


def member(node: Node) -> Member:
    """Ranges and addresses that do not parse are left out: another's mistake must not stop this node's network."""
    return Member(
        node.metadata.name,
        tuple(_parsed(node.pod_ranges(), parse_prefix)),
        tuple(_parsed(node.internal_addresses(), parse_address)),
    )


def _parsed(texts: Iterable[str], parse: Callable[[str], T]) -> Iterator[T]:
    for text in texts:
        try:
            yield parse(text)
        except ValueError:
            continue


@dataclass(frozen=True, slots=True)
class PodNetwork:
    """The network as this node sees it. `own` is None until the node is known and has a range."""

    own: Member | None
    others: tuple[Member, ...]


def pod_network(name: str, members: Mapping[str, Member]) -> PodNetwork:
    own = members.get(name)
    return PodNetwork(
        own=own if own is not None and own.ranges else None,
        others=tuple(members[other] for other in sorted(members) if other != name),
    )
