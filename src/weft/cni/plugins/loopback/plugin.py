from collections.abc import Callable
from ipaddress import ip_interface
from typing import Any

from weft.cni.errors import KERNEL_REFUSED, NOT_AS_MADE, UNKNOWN_CONTAINER, CniError
from weft.cni.request import Request
from weft.cni.result import AddressResult, LinkResult, Result
from weft.kernel.errors import KernelError
from weft.kernel.port import Network
from weft.kernel.state.change import Replace
from weft.kernel.state.link import Link

_ADDRESSES = (ip_interface("127.0.0.1/8"), ip_interface("::1/128"))


class LoopbackPlugin:
    """`open_network` opens the network namespace at a path."""

    def __init__(self, open_network: Callable[[str], Network]) -> None:
        self._open = open_network

    def add(self, request: Request) -> Result | dict[str, Any]:
        self._set(request.netns, up=True)
        if request.config.previous is not None:
            return {**request.config.previous, "cniVersion": request.config.version}
        link = LinkResult("lo", "00:00:00:00:00:00", request.netns)
        return Result((link,), tuple(AddressResult(interface, 0) for interface in _ADDRESSES))

    def delete(self, request: Request) -> None:
        if request.netns:
            try:
                self._set(request.netns, up=False)
            except CniError as error:
                if error.code != UNKNOWN_CONTAINER:
                    raise

    def check(self, request: Request) -> None:
        network = self._opened(request.netns)
        try:
            lo = network.observe(addresses=False, routes=False, neighbours=False).link("lo")
        finally:
            network.close()
        if lo is None or not lo.up:
            raise CniError(NOT_AS_MADE, f"lo is down in {request.netns}")

    def gc(self, request: Request) -> None:
        """Nothing is kept for a container."""

    def status(self, request: Request) -> None:
        """Always ready."""

    def _set(self, netns: str, *, up: bool) -> None:
        network = self._opened(netns)
        try:
            if failures := network.apply([Replace(Link("lo", up=up))]):
                raise CniError(KERNEL_REFUSED, str(failures[0]))
        finally:
            network.close()

    def _opened(self, netns: str) -> Network:
        try:
            return self._open(netns)
        except KernelError as error:
            raise CniError(UNKNOWN_CONTAINER, f"CNI_NETNS: {error}") from None
