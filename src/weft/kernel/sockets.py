"""The port to the open sockets of network namespaces."""

from collections.abc import Collection
from typing import NamedTuple, Protocol


class Peer(NamedTuple):
    """A connected socket. Addresses have 16 bytes, IPv4 mapped."""

    protocol: int
    address: bytes
    port: int
    cookie: int
    """The socket's own number, never used again before the machine starts anew."""
    handle: bytes
    """What the door needs to find it again."""


class Sockets(Protocol):
    """Calls block; OSError where the kernel cannot."""

    def connected(self, protocol: int, ends: Collection[tuple[bytes, int]]) -> list[Peer]:
        """Sockets connected to one of `ends` (address of 16 bytes, port), in all namespaces that this door knows."""
        ...

    def destroy(self, peers: Collection[Peer]) -> None:
        """Their owners get ECONNABORTED. One that is gone meanwhile does not matter."""
        ...

    def close(self) -> None: ...
