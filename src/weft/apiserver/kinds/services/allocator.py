"""Which cluster address or node port a Service gets (KEP-3070, KEP-3668): pure sets with a lower band to ask from.

What nobody asked for by name comes from the upper band first, so that the lower one stays free for those who do.
"""

from collections import Counter
from collections.abc import Collection
from random import Random

from weft.addresses.prefix import Address, Prefix, parse_address

_TRIES = 16
FULL = "range is full"


class Taken(Exception):
    """The wanted value cannot be had; the text is upstream's."""


class Full(Exception):
    """Nothing is left."""


class Pool:
    """Numbers 0 … size-1, those in use counted: an object may hold the same one twice while it is repaired."""

    def __init__(self, size: int, band: int, rng: Random) -> None:
        self.size = size
        self.band = band
        """Numbers below it are handed out last."""
        self._rng = rng
        self._used: Counter[int] = Counter()

    def take(self, number: int) -> None:
        self._used[number] += 1

    def free(self, number: int) -> None:
        self._used[number] -= 1
        if self._used[number] <= 0:
            del self._used[number]

    def used(self, number: int) -> bool:
        return number in self._used

    def __len__(self) -> int:
        return len(self._used)

    def pick(self, besides: Collection[int] = ()) -> int:
        """A number not in use and not in `besides`; nothing is taken. Raises Full."""
        for low, high in ((self.band, self.size), (0, self.band)):
            found = self._pick_between(low, high, besides)
            if found is not None:
                return found
        raise Full(FULL)

    def _pick_between(self, low: int, high: int, besides: Collection[int]) -> int | None:
        if low >= high:
            return None
        for _ in range(_TRIES):
            number = self._rng.randrange(low, high)
            if number not in self._used and number not in besides:
                return number
        start = self._rng.randrange(low, high)
        busy = len(self._used) + len(besides)
        for step in range(min(high - low, busy + 1)):
            number = low + (start - low + step) % (high - low)
            if number not in self._used and number not in besides:
                return number
        return None


class AddressAllocator:
    """Cluster addresses of one family."""

    def __init__(self, prefix: Prefix, rng: Random) -> None:
        self.prefix = prefix
        last = 2 if prefix.version == 4 else 1
        size = max(0, prefix.num_addresses - last)
        self._pool = Pool(size, 0 if size < 16 else min(max(16, size // 16), 256), rng)
        self._first = int(prefix.network_address) + 1

    def check(self, text: str, besides: Collection[str] = ()) -> None:
        """Whether this very address can be had; raises Taken."""
        address = parse_address(text)
        number = int(address) - self._first
        if address not in self.prefix or not 0 <= number < self._pool.size:
            raise Taken(f"the provided IP ({text}) is not in the valid range. The range of valid IPs is {self.prefix}")
        if self._pool.used(number) or text in besides:
            raise Taken("provided IP is already allocated")

    def pick(self) -> str:
        """A free address; nothing is taken. Raises Full."""
        return str(self._address(self._pool.pick()))

    def take(self, text: str) -> None:
        """Addresses outside the range (of an earlier configuration) are nobody's business."""
        number = self._number(text)
        if number is not None:
            self._pool.take(number)

    def free(self, text: str) -> None:
        number = self._number(text)
        if number is not None:
            self._pool.free(number)

    def __len__(self) -> int:
        return len(self._pool)

    def _address(self, number: int) -> Address:
        return self.prefix.network_address + (number + 1)

    def _number(self, text: str) -> int | None:
        address = parse_address(text)
        number = int(address) - self._first
        return number if address in self.prefix and 0 <= number < self._pool.size else None


class PortAllocator:
    """Node ports, of all protocols together, as upstream counts them."""

    def __init__(self, first: int, last: int, rng: Random) -> None:
        self.first, self.last = first, last
        size = last - first + 1
        self._pool = Pool(size, 0 if size < 16 else min(max(16, size // 32), 128), rng)

    def check(self, port: int, besides: Collection[int] = ()) -> None:
        """Raises Taken."""
        if not self.first <= port <= self.last:
            raise Taken(
                f"provided port is not in the valid range. The range of valid ports is {self.first}-{self.last}"
            )
        if self._pool.used(port - self.first) or port in besides:
            raise Taken("provided port is already allocated")

    def pick(self, besides: Collection[int] = ()) -> int:
        """A free port; nothing is taken. Raises Full."""
        return self.first + self._pool.pick([port - self.first for port in besides])

    def take(self, port: int) -> None:
        if self.first <= port <= self.last:
            self._pool.take(port - self.first)

    def free(self, port: int) -> None:
        if self.first <= port <= self.last:
            self._pool.free(port - self.first)

    def __len__(self) -> int:
        return len(self._pool)
