"""What the plugin remembers of a pod's attachment. Pure."""

import functools
import hashlib
from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_interface

import msgspec

from weft.addresses import Address
from weft.kernel.state.address import Interface
from weft.kernel.state.link import ALIAS_LIMIT

LINK_PREFIX = "weft"
"""How the node's ends of pods' links are named: this and 11 hexadecimal digits."""
LEAVING_GROUP = 0x5EF7
"""Links of this group (IFLA_GROUP) are about to be removed."""


class Attachment(msgspec.Struct, frozen=True, omit_defaults=True):
    """One link of a container. `addresses` carry the length of their range's prefix, the primary family first."""

    network: str
    container: str
    ifname: str
    netns: str
    link: str
    """The node's end."""
    mac: str
    addresses: tuple[str, ...]
    leaving: bool = False
    """DEL was answered; the link is not yet gone, so the addresses are not yet free."""

    @property
    def key(self) -> str:
        return attachment_key(self.container, self.ifname)

    def interfaces(self) -> tuple[Interface, ...]:
        return tuple(_interface(text) for text in self.addresses)

    def bare_addresses(self) -> tuple[Address, ...]:
        return tuple(interface.ip for interface in self.interfaces())


@functools.lru_cache(maxsize=1024)
def _interface(text: str) -> Interface:
    """An ADD asks for the same ones several times, and parsing takes longer than the kernel does for an address."""
    return ip_interface(text)


def attachment_key(container: str, ifname: str) -> str:
    return f"{container}/{ifname}"


def link_name(container: str, ifname: str) -> str:
    """Always the same for the same attachment, so that a link is found again without a record."""
    return LINK_PREFIX + hashlib.blake2b(attachment_key(container, ifname).encode(), digest_size=6).hexdigest()[:11]


def mac_of(address: Address) -> str:
    """A private MAC made of an address' last four bytes: who has the address next also has its MAC, so that no
    neighbour's cache is ever wrong."""
    return "0a:58:" + address.packed[-4:].hex(":")


def alias(addresses: Iterable[Address], args: Mapping[str, str]) -> str:
    """What `ip link` shows: `10.244.1.5,fd00::5 default/web`. It also brings addresses back when records are lost."""
    pod = f"{args.get('K8S_POD_NAMESPACE', '')}/{args.get('K8S_POD_NAME', '')}".strip("/")
    text = f"{','.join(str(address) for address in addresses)} {pod}".rstrip()
    return text.encode()[:ALIAS_LIMIT].decode(errors="ignore")


def addresses_in_alias(text: str) -> tuple[Address, ...]:
    """The addresses of an alias that `alias` made; none where anybody else did."""
    try:
        return tuple(ip_address(part) for part in text.partition(" ")[0].split(","))
    except ValueError:
        return ()
