"""Opening the sockets of an address, on whatever families the machine has."""

import errno
import socket

_BOTH = {"": ("0.0.0.0", "::"), "localhost": ("127.0.0.1", "::1")}
_NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


def bind(host: str, port: int, kinds: tuple[socket.SocketKind, ...], *, shared: bool = False) -> list[socket.socket]:
    """Sockets of each of `kinds`; no host means all addresses, of both families where there are two.

    `shared` lets other processes of the same user bind the port too. Raises OSError, and then none is left open.
    """
    sockets: list[socket.socket] = []
    try:
        for one in _BOTH.get(host, (host,)):
            try:
                for kind in kinds:
                    sockets.append(_bind(one, port, kind, shared))
            except OSError as error:
                if host not in _BOTH or ":" not in one or error.errno not in _NO_IPV6:
                    raise
    except OSError:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _bind(host: str, port: int, kind: socket.SocketKind, shared: bool) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)
    try:
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        if kind == socket.SOCK_STREAM:
            sock.listen(256)
    except OSError:
        sock.close()
        raise
    return sock
