"""All that one network namespace holds, as observed or as desired."""

from dataclasses import dataclass

from weft.kernel.state.address import LinkAddress
from weft.kernel.state.link import Link
from weft.kernel.state.neighbour import Forwarding, Neighbour
from weft.kernel.state.route import Route
from weft.kernel.state.sysctl import Sysctl


@dataclass(frozen=True, slots=True)
class NetworkState:
    links: tuple[Link, ...] = ()
    addresses: tuple[LinkAddress, ...] = ()
    routes: tuple[Route, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    forwarding: tuple[Forwarding, ...] = ()
    sysctls: tuple[Sysctl, ...] = ()

    def link(self, name: str) -> Link | None:
        return next((link for link in self.links if link.name == name), None)

    def validate(self) -> None:
        """Raises ValueError that names the first wrong field."""
        for part in (self.links, self.addresses, self.routes, self.neighbours, self.forwarding, self.sysctls):
            for item in part:
                item.validate()
