"""What ADD answers, in the shape of the version that was asked for (CNI spec, section 5). Pure."""

from dataclasses import dataclass, field
from typing import Any

from weft.addresses import Address, Prefix
from weft.kernel.state.address import Interface


@dataclass(frozen=True, slots=True)
class LinkResult:
    """`sandbox` is the path of its network namespace; "" is the host's."""

    name: str
    mac: str
    sandbox: str = ""
    mtu: int = 0


@dataclass(frozen=True, slots=True)
class AddressResult:
    interface: Interface
    link: int
    """Number of its link in `Result.links`."""
    gateway: Address | None = None


@dataclass(frozen=True, slots=True)
class RouteResult:
    destination: Prefix
    gateway: Address | None = None


@dataclass(frozen=True, slots=True)
class Result:
    links: tuple[LinkResult, ...] = ()
    addresses: tuple[AddressResult, ...] = ()
    routes: tuple[RouteResult, ...] = ()
    dns: dict[str, Any] = field(default_factory=dict)


def render(result: Result, version: str) -> dict[str, Any]:
    """The document; versions below 1.0.0 also tell each address's family, 1.1.0 also the links' MTU."""
    document: dict[str, Any] = {"cniVersion": version}
    if result.links:
        document["interfaces"] = [_link(link, version) for link in result.links]
    if result.addresses:
        document["ips"] = [_address(address, version) for address in result.addresses]
    if result.routes:
        document["routes"] = [_route(route) for route in result.routes]
    return {**document, "dns": result.dns}


def _link(link: LinkResult, version: str) -> dict[str, Any]:
    found: dict[str, Any] = {"name": link.name}
    if link.mac:
        found["mac"] = link.mac
    if link.sandbox:
        found["sandbox"] = link.sandbox
    if link.mtu and version >= "1.1.0":
        found["mtu"] = link.mtu
    return found


def _address(address: AddressResult, version: str) -> dict[str, Any]:
    found: dict[str, Any] = {"address": str(address.interface), "interface": address.link}
    if address.gateway is not None:
        found["gateway"] = str(address.gateway)
    if version < "1.0.0":
        found["version"] = str(address.interface.version)
    return found


def _route(route: RouteResult) -> dict[str, Any]:
    found = {"dst": str(route.destination)}
    if route.gateway is not None:
        found["gw"] = str(route.gateway)
    return found
