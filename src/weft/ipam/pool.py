"""One address from each of a node's ranges: a pod of a dual-stack cluster has two. Pure."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Interface, IPv6Interface

from weft.addresses import Address, Prefix
from weft.ipam.allocator import Exhausted, RangeAllocator
from weft.kernel.state.address import Interface


class Pool:
    """`ranges` in order of preference: the first is the primary family. Each range's first address is its gateway."""

    def __init__(self, ranges: Sequence[Prefix]) -> None:
        self.ranges = tuple(ranges)
        self._allocators = tuple(RangeAllocator(prefix, (gateway(prefix),)) for prefix in ranges)

    def allocate(self) -> tuple[Interface, ...]:
        """One address of each range, or none at all: raises Exhausted."""
        given: list[Address] = []
        try:
            for allocator in self._allocators:
                given.append(allocator.allocate())
        except Exhausted:
            self.release(given)
            raise
        return tuple(_interface(address, prefix) for address, prefix in zip(given, self.ranges, strict=True))

    def take(self, addresses: Iterable[Address]) -> None:
        """Marks addresses as handed out; those of other ranges (the node's ranges have changed) are left alone."""
        for address in addresses:
            any(allocator.take(address) for allocator in self._allocators)

    def release(self, addresses: Iterable[Address]) -> None:
        for address in addresses:
            for allocator in self._allocators:
                allocator.release(address)

    @property
    def in_use(self) -> tuple[int, ...]:
        return tuple(allocator.in_use for allocator in self._allocators)

    @property
    def capacity(self) -> tuple[int, ...]:
        return tuple(allocator.capacity for allocator in self._allocators)


def _interface(address: Address, prefix: Prefix) -> Interface:
    if isinstance(address, IPv4Address):
        return IPv4Interface((address, prefix.prefixlen))
    return IPv6Interface((address, prefix.prefixlen))


def gateway(prefix: Prefix) -> Address:
    """The first address of a node's range: its bridge has it."""
    return prefix.network_address + 1
