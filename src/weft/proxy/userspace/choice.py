"""Which callers a socket takes, and which endpoint a caller gets. Pure but for the chance that is passed in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from weft.addresses import Prefix
from weft.proxy.endpoints import Endpoint
from weft.proxy.model import Entry, Frontend

Chance = Callable[[int], int]
"""A number below the given one."""


@dataclass(frozen=True, slots=True)
class Place:
    """Who counts as being in the cluster: callers whom a Local external policy does not bind."""

    pods: tuple[Prefix, ...] = ()
    own: frozenset[bytes] = frozenset()
    """Addresses of the node."""

    def inside(self, caller: bytes, at: Frontend) -> bool:
        address = ip_address(caller)
        return caller in self.own or caller == at.address or any(address in one for one in self.pods)

    def prefixes(self, at: Frontend) -> list[Prefix]:
        width = len(at.address)
        hosts = [ip_network(one) for one in (*sorted(self.own), at.address) if len(one) == width]
        return [*(one for one in self.pods if one.version == (4 if width == 4 else 6)), *hosts]


def listens(entry: Entry) -> bool:
    """Where no node has an endpoint nobody listens, so that the kernel refuses."""
    return entry.absent != "reject"


def allowed(at: Frontend, entry: Entry, place: Place) -> list[Prefix] | None:
    """Whose packets the socket takes; None: everyone's."""
    if entry.sources:
        return list(entry.sources)
    if entry.absent == "drop":
        return place.prefixes(at) if entry.external and entry.cluster else []
    return None


def endpoints(at: Frontend, entry: Entry, caller: bytes, place: Place) -> Sequence[Endpoint]:
    if entry.local is None or (entry.external and place.inside(caller, at)):
        return entry.cluster
    return entry.local


@dataclass(slots=True)
class Memory:
    """Which endpoint each client of one frontend had, and when it last asked (seconds, of any clock)."""

    _held: dict[bytes, tuple[bytes, int, float]] = field(default_factory=dict)

    def pick(self, ends: Sequence[Endpoint], caller: bytes, affinity: int, now: float, chance: Chance) -> Endpoint:
        """`ends` must not be empty."""
        if not affinity:
            self._held.clear()
            return ends[chance(len(ends))]
        chosen = None
        if (held := self._held.get(caller)) and now - held[2] <= affinity:
            chosen = next((end for end in ends if (end.address, end.port) == held[:2]), None)
        chosen = chosen or ends[chance(len(ends))]
        if len(self._held) >= 10_000:
            self._held = {who: one for who, one in self._held.items() if now - one[2] <= affinity}
        self._held[caller] = (chosen.address, chosen.port, now)
        return chosen
