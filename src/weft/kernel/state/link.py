"""Links (network devices): what `ip link` shows. Source: rtnetlink(7), linux/if_link.h."""

from dataclasses import dataclass, field
from typing import Optional

NAME_LIMIT = 15
"""Bytes that a device's name may have (IFNAMSIZ less the closing zero)."""

ALIAS_LIMIT = 255


@dataclass(frozen=True, slots=True)
class Veth:
    """One end of a pair. `peer` is made together with it, in the namespace `netns` (name or path; "": the same one).

    The kernel makes the peer down whatever `peer.up` says: set it up in its own namespace. An observed end knows
    nothing of its peer: `peer` is None.
    """

    peer: Optional["Link"] = None
    netns: str = ""


@dataclass(frozen=True, slots=True)
class Bridge:
    vlan_filtering: bool = False


@dataclass(frozen=True, slots=True)
class Vxlan:
    """A tunnel device whose forwarding entries are written by us (no learning, no multicast group)."""

    vni: int
    local: str
    port: int = 4789
    underlay: str = ""


@dataclass(frozen=True, slots=True)
class Other:
    """A device of a kind that Weft reads but does not make; `kind` is the kernel's word, "" for hardware and lo."""

    kind: str = ""


Kind = Veth | Bridge | Vxlan | Other


@dataclass(frozen=True, slots=True)
class Port:
    """How a bridge treats this link as its port."""

    hairpin: bool = False
    """A frame may leave by the port it came in: a pod reaches itself through a Service."""
    isolated: bool = False
    """No frames to or from other isolated ports."""
    learning: bool = True


@dataclass(frozen=True, slots=True)
class Link:
    """None in `mtu`, `mac`, `port` or `alias` of a desired link means: as the kernel chose or as it is."""

    name: str
    kind: Kind = Other()
    up: bool = True
    mtu: int | None = None
    mac: str | None = None
    master: str = ""
    port: Port | None = None
    group: int = 0
    alias: str | None = None
    index: int = field(default=0, compare=False)
    """Observed only."""

    def __str__(self) -> str:
        return f"link {self.name}"

    def validate(self) -> None:
        """Raises ValueError that names the field."""
        validate_name(self.name)
        if self.mtu is not None and not 68 <= self.mtu <= 65535:
            raise ValueError(f"mtu: {self.mtu} of {self.name} is not between 68 and 65535")
        if self.mac is not None:
            validate_mac(self.mac)
        if self.master:
            validate_name(self.master)
        if self.port is not None and not self.master:
            raise ValueError(f"port: {self.name} has no master bridge")
        if isinstance(self.kind, Veth) and self.kind.peer is not None:
            self.kind.peer.validate()
        if isinstance(self.kind, Vxlan) and not 0 < self.kind.vni < 1 << 24:
            raise ValueError(f"vni: {self.kind.vni} of {self.name} is not between 1 and 16777215")


def kind_name(kind: Kind) -> str:
    """The kernel's word (IFLA_INFO_KIND)."""
    return kind.kind if isinstance(kind, Other) else type(kind).__name__.lower()


def validate_name(name: str) -> None:
    """As dev_valid_name() of the kernel: no slash, colon or space, not `.` or `..`, at most 15 bytes."""
    if not name or name in (".", "..") or len(name.encode()) > NAME_LIMIT:
        raise ValueError(f"link name: {name!r} must have 1 to {NAME_LIMIT} bytes")
    if any(sign in "/:" or sign.isspace() for sign in name):
        raise ValueError(f"link name: {name!r} must not hold a slash, a colon or white space")


def validate_mac(mac: str) -> None:
    parts = mac.split(":")
    if len(parts) != 6 or not all(len(part) == 2 and set(part) <= set("0123456789abcdef") for part in parts):
        raise ValueError(f"mac: {mac!r} is not six lower-case hexadecimal bytes such as 0a:58:0a:f4:01:02")
    if int(parts[0], 16) & 1:
        raise ValueError(f"mac: {mac!r} is a group address (the lowest bit of its first byte is set)")
