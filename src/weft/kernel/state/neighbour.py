"""Neighbours (`ip neighbour`) and forwarding entries of bridges and tunnels (`bridge fdb`). linux/neighbour.h."""

from dataclasses import dataclass

from weft.addresses import Address
from weft.kernel.state.link import validate_mac, validate_name


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A permanent entry: `address` on `link` is reached at `mac`, without asking by ARP or NDP."""

    link: str
    address: Address
    mac: str

    def __str__(self) -> str:
        return f"neighbour {self.address} on {self.link}"

    def validate(self) -> None:
        validate_name(self.link)
        validate_mac(self.mac)


@dataclass(frozen=True, slots=True)
class Forwarding:
    """On the tunnel `link`, frames to `mac` go to the tunnel end at `destination`."""

    link: str
    mac: str
    destination: Address

    def __str__(self) -> str:
        return f"forwarding entry {self.mac} to {self.destination} on {self.link}"

    def validate(self) -> None:
        validate_name(self.link)
        validate_mac(self.mac)
