"""Open sockets in memory."""

from collections.abc import Collection, Iterable

from weft.kernel.sockets import Peer


class FakeSockets:
    def __init__(self, peers: Iterable[Peer] = ()) -> None:
        self.open = list(peers)

    def connected(self, protocol: int, ends: Collection[tuple[bytes, int]]) -> list[Peer]:
        return [one for one in self.open if one.protocol == protocol and (one.address, one.port) in ends]

    def destroy(self, peers: Collection[Peer]) -> None:
        self.open = [one for one in self.open if one not in peers]

    def close(self) -> None:
        pass
