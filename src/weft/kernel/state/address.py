"""Addresses on links: what `ip address` shows. Source: rtnetlink(7), linux/if_addr.h."""

from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface

from weft.kernel.state.link import validate_name

Interface = IPv4Interface | IPv6Interface
"""An address with the length of the prefix that is on its link."""


@dataclass(frozen=True, slots=True)
class LinkAddress:
    """IPv6 addresses are made without duplicate address detection: Weft hands out each only once."""

    link: str
    interface: Interface

    def __str__(self) -> str:
        return f"address {self.interface} on {self.link}"

    def validate(self) -> None:
        """Raises ValueError that names the field."""
        validate_name(self.link)
        if self.interface.ip.is_multicast or self.interface.ip.is_unspecified:
            raise ValueError(f"address: {self.interface} cannot be a link's own address")
