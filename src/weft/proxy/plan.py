"""What every mode is asked to do, and what it must be able to do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from weft.addresses import Prefix
from weft.kernel.nft import Watch
from weft.proxy.model import Entry, Frontend

Changes = Mapping[Frontend, Entry | None]
"""Frontends and what each must do from now on; None: nothing any more."""


@dataclass(slots=True)
class Stale:
    """UDP flows that conntrack must forget: packets to `frontend` that go to `endpoint` (address, port)."""

    pairs: list[tuple[Frontend, bytes, int]] = field(default_factory=list)


class Mode(Protocol):
    """One way to make entries true in the kernel. Raises OSError or NftError where the kernel refuses."""

    async def apply(self, changes: Changes, *, complete: bool = False) -> Stale:
        """Makes the changes, each of them in one transaction. `complete`: what they do not name is to go.

        The first call must be complete; so must the first after a failure.
        """
        ...

    def intact(self) -> bool:
        """Whether what was programmed still seems to be there: a quick look, no listing."""
        ...

    def watch(self) -> Watch | None:
        """Hears of it when others change what was programmed; then the next `apply` must be complete."""
        ...

    def set_service_ranges(self, ranges: tuple[Prefix, ...]) -> None:
        """Where Services have their addresses: what is not assigned there is dropped."""
        ...

    async def cleanup(self) -> None:
        """Leaves nothing behind."""
        ...

    def close(self) -> None: ...
