"""The link that makes Services' addresses this node's own, for modes that need packets to end here.

A bridge without ports: every kernel has it, its addresses are local in both families, nothing can leave by it, and
whoever deletes it has deleted all of them.
"""

from collections.abc import Iterable
from ipaddress import ip_address, ip_interface

from weft.kernel.errors import KernelError
from weft.kernel.port import Network
from weft.kernel.state.address import LinkAddress
from weft.kernel.state.change import Add, Change, Remove
from weft.kernel.state.link import Bridge, Link

NAME = "weft-services"
_LINK = Link(NAME, Bridge())


class ServiceLink:
    """`hold` says which addresses; those that the node has on other links are left to them. Raises KernelError."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.held: set[bytes] = set()
        self.node: frozenset[bytes] = frozenset()
        """The node's addresses on other links, as of `begin`."""

    def begin(self) -> None:
        """Finds the link as it was left, or makes it."""
        if not self.present():
            self._apply([Add(_LINK)])
        found = self._network.observe(links=False, routes=False, neighbours=False).addresses
        self.held = {
            one.interface.ip.packed for one in found if one.link == NAME and not one.interface.ip.is_link_local
        }
        self.node = frozenset(one.interface.ip.packed for one in found if one.link != NAME)

    def hold(self, addresses: Iterable[bytes]) -> None:
        wanted = set(addresses) - self.node
        changes: list[Change] = [Remove(_address(one)) for one in sorted(self.held - wanted)]
        changes += [Add(_address(one)) for one in sorted(wanted - self.held)]
        self._apply(changes)
        self.held = wanted

    def present(self) -> bool:
        return self._network.link(NAME) is not None

    def remove(self) -> None:
        if self.present():
            self._apply([Remove(_LINK)])
        self.held = set()

    def close(self) -> None:
        self._network.close()

    def _apply(self, changes: list[Change]) -> None:
        failures: tuple[KernelError, ...] = self._network.apply(changes) if changes else ()
        if failures:
            raise failures[0]


def _address(one: bytes) -> LinkAddress:
    return LinkAddress(NAME, ip_interface((ip_address(one), len(one) * 8)))
