"""The port to nftables in one network namespace."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from weft.kernel.state.nft import Datum, Set, Table, Transaction


class NftError(Exception):
    """The kernel refused a transaction (nothing of it was applied), or cannot do nftables. One line that says why."""

    def __init__(self, message: str, errno: int = 0) -> None:
        super().__init__(message)
        self.errno = errno


@dataclass(frozen=True, slots=True)
class TableState:
    """What a table holds, by name."""

    comment: str
    chains: frozenset[str]
    sets: frozenset[str]
    """Named sets and maps."""


class Watch(Protocol):
    """Hears of changes that others make to tables. `fileno` is readable when there is something to read."""

    def fileno(self) -> int: ...

    def read(self) -> bool:
        """Whether there was such a change since the last call; also where that is not known."""
        ...

    def close(self) -> None: ...


class Nft(Protocol):
    """Calls block, mostly for less than a millisecond; one object belongs to one thread at a time."""

    def apply(self, transaction: Transaction) -> None:
        """All of it, or nothing and NftError."""
        ...

    def observe(self, table: Table) -> TableState | None:
        """The table's names, or None where there is no such table."""
        ...

    def elements(self, of: Set) -> Mapping[bytes, Datum]:
        """All elements of a set or map that is not an interval set. NftError where it does not exist."""
        ...

    def rules(self, table: Table) -> Mapping[str, str]:
        """For each chain with rules a digest of them: it stays the same as long as they do."""
        ...

    def watch(self, table: str) -> Watch | None:
        """Hears when others than this object change a table of that name, of any family. None: there are no others."""
        ...

    def show(self, table: Table) -> str:
        """The whole table as text, for people and tests."""
        ...

    def close(self) -> None: ...
