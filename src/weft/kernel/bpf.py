"""The port to BPF: maps that outlive their maker, and programs on the sockets of a cgroup."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from weft.kernel.state.bpf import Hook, Map, Program


class BpfError(OSError):
    """The kernel refused; one line says what and why."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)

    def __str__(self) -> str:
        return str(self.strerror)


class Bpf(Protocol):
    """Maps and programs of one cgroup, kept under a directory. Calls block for microseconds to milliseconds, and raise
    BpfError. They survive the process.
    """

    def open(self, maps: Iterable[Map]) -> None:
        """Takes up the maps that are there and makes the others; one of another shape is replaced by an empty one."""
        ...

    def put(self, to: Map, elements: Mapping[bytes, bytes]) -> None: ...

    def remove(self, of: Map, keys: Iterable[bytes]) -> None:
        """Keys that are not there do not matter."""
        ...

    def get(self, of: Map, key: bytes) -> bytes | None: ...

    def elements(self, of: Map) -> dict[bytes, bytes]: ...

    def attach(self, programs: Iterable[Program]) -> None:
        """Each takes the place of the one on its hook that this door, or one before it, attached: without a gap."""
        ...

    def attached(self) -> frozenset[Hook]: ...

    def clear(self) -> None:
        """Detaches all programs and forgets all maps."""
        ...

    def close(self) -> None: ...
