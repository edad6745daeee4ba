"""Virtual servers of IPVS, as `ipvsadm -Ln` shows them. Source: linux/ip_vs.h, ipvsadm(8)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import NamedTuple

SCHEDULER_LIMIT = 15


class Virtual(NamedTuple):
    """Where a virtual server answers: an address in network byte order (4 or 16 bytes), an IP protocol, a port."""

    address: bytes
    protocol: int
    port: int

    def __str__(self) -> str:
        return f"{ip_address(self.address)} port {self.port}/{self.protocol}"


class Target(NamedTuple):
    """A real server."""

    address: bytes
    port: int


@dataclass(frozen=True, slots=True)
class Server:
    """One virtual server; its packets are translated (NAT) on their way to a target."""

    scheduler: str = "rr"
    persistence: int = 0
    """Seconds for which a client keeps its target; 0: not at all."""
    targets: Mapping[Target, int] = field(default_factory=dict)
    """Each with its weight; with weight 0 it gets no new connections."""

    def validate(self, at: Virtual) -> None:
        """Raises ValueError that names the field."""
        if len(at.address) not in (4, 16):
            raise ValueError(f"address: {at.address.hex()} has neither 4 nor 16 bytes")
        if not (self.scheduler.isalnum() and len(self.scheduler) <= SCHEDULER_LIMIT):
            raise ValueError(f"scheduler: {self.scheduler!r} is not a name such as rr")
        for end, weight in self.targets.items():
            if len(end.address) != len(at.address) or not (0 < end.port < 65536 and 0 <= weight < 65536):
                raise ValueError(f"target {end} of {at}: another family, or port or weight out of range")


@dataclass(frozen=True, slots=True)
class NewServer:
    at: Virtual
    server: Server


@dataclass(frozen=True, slots=True)
class ChangeServer:
    """Scheduler and persistence, not the targets."""

    at: Virtual
    server: Server


@dataclass(frozen=True, slots=True)
class RemoveServer:
    """With all its targets."""

    at: Virtual


@dataclass(frozen=True, slots=True)
class NewTarget:
    at: Virtual
    target: Target
    weight: int


@dataclass(frozen=True, slots=True)
class ChangeTarget:
    at: Virtual
    target: Target
    weight: int


@dataclass(frozen=True, slots=True)
class RemoveTarget:
    at: Virtual
    target: Target


IpvsChange = NewServer | ChangeServer | RemoveServer | NewTarget | ChangeTarget | RemoveTarget
Servers = Mapping[Virtual, Server]


def diff(observed: Servers, desired: Servers) -> Iterator[IpvsChange]:
    """The least changes from one to the other; targets come before others go, so that no server is ever without."""
    for at in sorted(observed.keys() - desired.keys()):
        yield RemoveServer(at)
    for at, wanted in sorted(desired.items(), key=lambda one: one[0]):
        held = observed.get(at)
        if held is None:
            yield NewServer(at, wanted)
        elif (held.scheduler, held.persistence) != (wanted.scheduler, wanted.persistence):
            yield ChangeServer(at, wanted)
        yield from _targets(at, held.targets if held else {}, wanted.targets)


def _targets(at: Virtual, held: Mapping[Target, int], wanted: Mapping[Target, int]) -> Iterator[IpvsChange]:
    for end, weight in sorted(wanted.items()):
        if end not in held:
            yield NewTarget(at, end, weight)
        elif held[end] != weight:
            yield ChangeTarget(at, end, weight)
    for end in sorted(held.keys() - wanted.keys()):
        yield RemoveTarget(at, end)
