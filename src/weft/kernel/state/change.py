"""What is to become different: the words between a diff and the kernel."""

from dataclasses import dataclass

from weft.kernel.state.address import LinkAddress
from weft.kernel.state.link import Link
from weft.kernel.state.neighbour import Forwarding, Neighbour
from weft.kernel.state.route import Route
from weft.kernel.state.sysctl import Sysctl

Item = Link | LinkAddress | Route | Neighbour | Forwarding | Sysctl


@dataclass(frozen=True, slots=True)
class Add:
    """Make what is not there; fails with EEXIST when it is."""

    item: Link | LinkAddress | Route | Neighbour | Forwarding

    def __str__(self) -> str:
        return f"add {self.item}"


@dataclass(frozen=True, slots=True)
class Replace:
    """Make it so, whether it is there or not; a link must be there (its kind cannot change)."""

    item: Item

    def __str__(self) -> str:
        return f"set {self.item}"


@dataclass(frozen=True, slots=True)
class Remove:
    item: Link | LinkAddress | Route | Neighbour | Forwarding

    def __str__(self) -> str:
        return f"remove {self.item}"


@dataclass(frozen=True, slots=True)
class RemoveGroup:
    """Removes all links of a group at once: one wait for the kernel's readers instead of one for each link."""

    group: int

    def __str__(self) -> str:
        return f"remove the links of group {self.group}"


@dataclass(frozen=True, slots=True)
class Regroup:
    """Puts one link into a group and leaves everything else about it: the quick half of removing it."""

    link: str
    group: int

    def __str__(self) -> str:
        return f"put link {self.link} into group {self.group}"


Change = Add | Replace | Remove | RemoveGroup | Regroup
