"""Hands out the addresses of one range, each once, round robin. Pure: no file, no clock.

Used addresses are the bits of one integer, so finding the next free one is a few machine instructions for each 64
addresses, however many are taken. Round robin puts off reuse: peers may still hold an old neighbour or connection.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address

from weft.addresses import Address, Prefix

MOST = 1 << 16
"""Addresses of a larger range beyond the first this many are not used: no node has so many pods."""


class Exhausted(Exception):
    """No address of the range is free."""


class RangeAllocator:
    """Never gives the network's own address, IPv4's broadcast address, or a `reserved` one (the gateway)."""

    def __init__(self, prefix: Prefix, reserved: Iterable[Address] = ()) -> None:
        self.prefix = prefix
        self._size = min(prefix.num_addresses, MOST)
        self._full = (1 << self._size) - 1
        self._used = self._kept = self._never(reserved)
        self._next = 0

    def _never(self, reserved: Iterable[Address]) -> int:
        bits = 0
        if self.prefix.max_prefixlen - self.prefix.prefixlen > 1:
            bits |= 1
            if self.prefix.version == 4 and self._size == self.prefix.num_addresses:
                bits |= 1 << (self._size - 1)
        for address in reserved:
            offset = self._offset(address)
            bits |= 0 if offset is None else 1 << offset
        return bits

    def _offset(self, address: Address) -> int | None:
        if address.version != self.prefix.version:
            return None
        offset = int(address) - int(self.prefix.network_address)
        return offset if 0 <= offset < self._size else None

    @property
    def in_use(self) -> int:
        """How many addresses are handed out."""
        return (self._used & ~self._kept).bit_count()

    @property
    def capacity(self) -> int:
        """How many addresses can be handed out at once."""
        return self._size - self._kept.bit_count()

    def allocate(self) -> Address:
        """The next free address. Raises Exhausted."""
        free = ~self._used & self._full
        if not free:
            raise Exhausted(f"range {self.prefix} has no free address: all {self.capacity} are in use")
        ahead = free >> self._next << self._next
        lowest = (ahead or free) & -(ahead or free)
        offset = lowest.bit_length() - 1
        self._used |= lowest
        self._next = (offset + 1) % self._size
        return self._address(offset)

    def _address(self, offset: int) -> Address:
        number = int(self.prefix.network_address) + offset
        return IPv4Address(number) if self.prefix.version == 4 else IPv6Address(number)

    def take(self, address: Address) -> bool:
        """Marks this address as handed out, the next one follows it. False: outside the range, reserved or taken."""
        offset = self._offset(address)
        if offset is None or self._used >> offset & 1:
            return False
        self._used |= 1 << offset
        self._next = (offset + 1) % self._size
        return True

    def release(self, address: Address) -> None:
        """Gives it back; an address that was not handed out stays as it is."""
        offset = self._offset(address)
        if offset is not None:
            self._used &= ~(1 << offset) | self._kept

    def __contains__(self, address: Address) -> bool:
        """Whether the address is handed out."""
        offset = self._offset(address)
        return offset is not None and bool((self._used & ~self._kept) >> offset & 1)
