"""Maps and programs. Pure."""

from dataclasses import dataclass
from typing import Literal

from weft.kernel.state.bpf.code import Instruction

MapKind = Literal["hash", "lru_hash"]
Hook = Literal["connect4", "connect6", "sendmsg4", "sendmsg6", "recvmsg4", "recvmsg6", "getpeername4", "getpeername6"]
"""Where in the life of a socket of a cgroup a program runs (BPF_PROG_TYPE_CGROUP_SOCK_ADDR)."""


@dataclass(frozen=True, slots=True)
class Map:
    """Keys and values are bytes of fixed length. A hash takes memory as it fills; an `lru_hash` is made whole, and when
    it is full forgets what was not used for the longest time.
    """

    name: str
    """At most 15 characters."""
    key: int
    value: int
    """Sizes in bytes."""
    entries: int
    kind: MapKind = "hash"


@dataclass(frozen=True, slots=True)
class Program:
    name: str
    """At most 15 characters."""
    hook: Hook
    code: tuple[Instruction, ...]
