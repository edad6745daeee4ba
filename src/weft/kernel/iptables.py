"""The port to iptables and ip6tables in one network namespace."""

from typing import Literal, Protocol

IpVersion = Literal[4, 6]


class IptablesError(OSError):
    """A program is missing, or refused its input (nothing of the table was applied). One line that says why."""


class Iptables(Protocol):
    """Calls block for as long as the program runs: milliseconds, or seconds for many thousands of rules."""

    def restore(self, version: IpVersion, text: str) -> None:
        """Feeds `iptables-restore --noflush`: each table of `text` wholly or not at all. Raises IptablesError."""
        ...

    def save(self, version: IpVersion, table: str) -> str:
        """A table as `iptables-save` writes it. Raises IptablesError."""
        ...

    def list(self, version: IpVersion, table: str, chain: str) -> str:
        """The rules of one chain; empty where there is none. Raises IptablesError where the program is missing."""
        ...
