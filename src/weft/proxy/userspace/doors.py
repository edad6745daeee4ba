"""Sockets in the node's namespace, and the filters on them."""

import ctypes
import socket
from ipaddress import ip_address
from struct import pack

from weft.kernel.real import netns as namespaces

_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27
_BACKLOG = 1024
KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


class Sockets:
    """Makes sockets in the namespace at `netns`; "" is the process's own."""

    def __init__(self, netns: str = "") -> None:
        self._netns = netns

    def make(self, width: int, protocol: str) -> socket.socket:
        family = socket.AF_INET if width == 4 else socket.AF_INET6
        kind = KINDS[protocol]
        made = (
            namespaces.run_in(self._netns, socket.socket, family, kind) if self._netns else socket.socket(family, kind)
        )
        made.setblocking(False)
        return made

    def listen(self, address: bytes, port: int, protocol: str) -> socket.socket:
        """Raises OSError where the port is taken."""
        made = self.make(len(address), protocol)
        try:
            if protocol == "tcp":
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((str(ip_address(address)), port))
            if protocol == "tcp":
                made.listen(_BACKLOG)
        except OSError:
            made.close()
            raise
        return made


def guard(where: socket.socket, program: bytes | None) -> None:
    """Puts a filter (as `filter.program` makes it) on a socket, or takes it away."""
    if program is None:
        try:
            where.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)
        except FileNotFoundError:
            pass
        return
    steps = ctypes.create_string_buffer(program, len(program))
    where.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, pack("@HP", len(program) // 8, ctypes.addressof(steps)))
