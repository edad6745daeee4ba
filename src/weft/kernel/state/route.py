"""Routes: what `ip route` shows. Source: rtnetlink(7), linux/rtnetlink.h."""

from dataclasses import dataclass
from typing import Literal

from weft.addresses import Address, Prefix
from weft.kernel.state.link import validate_name

MAIN_TABLE = 254
WEFT_PROTOCOL = 87
"""Who made a route (rtm_protocol; 87 is unassigned in iproute2's rt_protos): by this number Weft knows its own."""

RouteKind = Literal["unicast", "blackhole", "unreachable", "prohibit", "local", "broadcast", "multicast", "anycast"]


@dataclass(frozen=True, slots=True)
class Route:
    """A route without `link` follows `via`; one without `via` is on the link."""

    destination: Prefix
    via: Address | None = None
    link: str = ""
    kind: RouteKind = "unicast"
    source: Address | None = None
    """The address that packets from this node take."""
    protocol: int = WEFT_PROTOCOL
    table: int = MAIN_TABLE
    metric: int = 0
    """0 is the kernel's default: 0 for IPv4, 1024 for IPv6 (and then observed as 0)."""
    onlink: bool = False
    """`via` is on the link though no address says so."""

    def __str__(self) -> str:
        via = f" via {self.via}" if self.via else ""
        return f"route {self.destination}{via}{f' dev {self.link}' if self.link else ''}"

    def validate(self) -> None:
        """Raises ValueError that names the field."""
        if self.link:
            validate_name(self.link)
        if self.via is not None and self.via.version != self.destination.version:
            raise ValueError(f"via: {self.via} and {self.destination} are of different families")
        if self.source is not None and self.source.version != self.destination.version:
            raise ValueError(f"source: {self.source} and {self.destination} are of different families")
        if self.kind == "unicast" and self.via is None and not self.link:
            raise ValueError(f"link: {self.destination} has neither a next hop nor a link")
        if not 0 < self.table < 1 << 32:
            raise ValueError(f"table: {self.table} is not a routing table's number")

    def key(self) -> tuple[Prefix, int, int]:
        """What the kernel holds once: a second route with the same key replaces the first."""
        return self.destination, self.table, self.metric
