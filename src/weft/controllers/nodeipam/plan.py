"""Which subnet of the pod ranges a node gets. Pure.

Node N gets subnet number N of every family, so that an address tells its node; number 0 is left out. A node whose
name ends in no number, or in one that is taken, gets the first number that is free.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from weft.addresses import Prefix, nth_subnet, overlapping, parse_prefix

_TRAILING_NUMBER = re.compile(r"(\d{1,9})$")


@dataclass(slots=True)
class Ranges:
    """Raises ValueError where a cluster range holds no node's subnet beside number 0."""

    cluster: tuple[Prefix, ...]
    mask_ipv4: int
    mask_ipv6: int
    reserved: tuple[Prefix, ...] = ()
    """Subnets that share an address with these (Services') are never given out."""
    taken: dict[int, str] = field(default_factory=dict)
    """Subnet number → the node that has it."""

    def __post_init__(self) -> None:
        for prefix in self.cluster:
            mask = self.mask(prefix)
            if mask <= prefix.prefixlen or mask - prefix.prefixlen > 16:
                raise ValueError(
                    f"--cluster-cidr {prefix} cannot be cut into /{mask} ranges for nodes "
                    f"(--node-cidr-mask-size-ipv{prefix.version} must be 1 to 16 more than {prefix.prefixlen})"
                )

    def mask(self, prefix: Prefix) -> int:
        return self.mask_ipv4 if prefix.version == 4 else self.mask_ipv6

    @property
    def count(self) -> int:
        """Subnet numbers that all families have."""
        return min(1 << (self.mask(prefix) - prefix.prefixlen) for prefix in self.cluster)

    def subnets(self, number: int) -> tuple[str, ...]:
        return tuple(str(nth_subnet(prefix, self.mask(prefix), number)) for prefix in self.cluster)

    def note(self, node: str, ranges: Iterable[str]) -> None:
        """The node has these ranges already, whoever gave them."""
        for number in self._numbers(ranges):
            self.taken.setdefault(number, node)

    def forget(self, node: str) -> None:
        for number in [number for number, holder in self.taken.items() if holder == node]:
            del self.taken[number]

    def give(self, node: str) -> tuple[str, ...] | None:
        """The node's ranges, one per family; None where all are taken."""
        number = self._wanted(node)
        if number is None:
            number = next((n for n in range(1, self.count) if self._is_free(n)), None)
        if number is None:
            return None
        self.taken[number] = node
        return self.subnets(number)

    def _wanted(self, node: str) -> int | None:
        match = _TRAILING_NUMBER.search(node)
        number = int(match[1]) if match else 0
        return number if 1 <= number < self.count and self._is_free(number) else None

    def _is_free(self, number: int) -> bool:
        if number in self.taken:
            return False
        subnets: Sequence[Prefix] = [nth_subnet(prefix, self.mask(prefix), number) for prefix in self.cluster]
        return not any(overlapping((subnet, other)) for subnet in subnets for other in self.reserved)

    def _numbers(self, ranges: Iterable[str]) -> Iterable[int]:
        for text in ranges:
            given = parse_prefix(text, "podCIDR")
            for prefix in self.cluster:
                if overlapping((prefix, given)):
                    shift = prefix.max_prefixlen - self.mask(prefix)
                    first = max(int(given.network_address) - int(prefix.network_address), 0) >> shift
                    last = min(int(given.broadcast_address) - int(prefix.network_address) >> shift, self.count - 1)
                    yield from range(first, last + 1)
