"""The port to the links, addresses, routes, neighbours and system controls of one network namespace."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from weft.kernel.errors import KernelError
from weft.kernel.state.change import Change
from weft.kernel.state.link import Link
from weft.kernel.state.network import NetworkState


class Network(Protocol):
    """Calls are short system calls and block; one object belongs to one thread at a time."""

    def observe(
        self,
        *,
        links: bool = True,
        addresses: bool = True,
        routes: bool = True,
        neighbours: bool = True,
        route_protocol: int = 0,
        sysctls: Iterable[str] = (),
    ) -> NetworkState:
        """What the namespace holds: unicast routes of all tables but `local`, permanent neighbours, and the named
        system controls (those that exist). `route_protocol` limits the routes to those that one program made.

        Raises KernelError.
        """
        ...

    def link(self, name: str) -> Link | None:
        """One link without a list of all; its master's name is not looked up. Raises KernelError."""
        ...

    def apply(self, changes: Sequence[Change]) -> tuple[KernelError, ...]:
        """Applies all changes in order, in as few system calls as can be; one that fails does not stop the others.

        Returns the failures, each of which names its change. Raises ValueError for a change that is not valid; then
        nothing was applied.
        """
        ...

    def close(self) -> None: ...
