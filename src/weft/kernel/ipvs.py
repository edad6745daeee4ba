"""The port to IPVS, the load balancer of the kernel, in one network namespace."""

from collections.abc import Sequence
from typing import Protocol

from weft.kernel.state.ipvs import IpvsChange, Servers


class IpvsError(OSError):
    """The kernel refused a change, or has no IPVS. One line that says why."""


class Ipvs(Protocol):
    """Calls block for microseconds each; one object belongs to one thread at a time."""

    def observe(self) -> Servers:
        """All virtual servers of addresses (those of packet marks are left out). Raises IpvsError."""
        ...

    def apply(self, changes: Sequence[IpvsChange]) -> None:
        """In order; one that fails does not stop the others.

        Raises IpvsError that names the first that failed, or ValueError for one that is not valid; then nothing was
        applied.
        """
        ...

    def close(self) -> None: ...
