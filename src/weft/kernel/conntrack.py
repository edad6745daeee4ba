"""The port to connection tracking: forgetting translations that must not go on."""

from collections.abc import Collection
from typing import NamedTuple, Protocol


class Translation(NamedTuple):
    """Flows to `address`:`port` whose answers come from `end_address`:`end_port`. Addresses in network byte order.

    Where the two are alike, the flow is not translated at all.
    """

    protocol: int
    """As in the IP header; 17: UDP."""
    address: bytes
    port: int
    end_address: bytes
    end_port: int


class Conntrack(Protocol):
    def forget(self, translations: Collection[Translation]) -> None:
        """The next packet of such a flow is looked at as if it were the first. Blocks; raises OSError."""
        ...

    def close(self) -> None: ...
