"""sock_diag(7): lists connected sockets and destroys them. Source: linux/inet_diag.h, linux/sock_diag.h."""

import contextlib
import errno
import fcntl
import os
import socket
import struct
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

from weft.kernel.errors import KernelError
from weft.kernel.real import netns
from weft.kernel.real.netlink.message import error, message, messages
from weft.kernel.sockets import Peer

_NETLINK_SOCK_DIAG = 4
_BY_FAMILY, _DESTROY = 20, 21
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_REQUEST_HEAD = struct.Struct("=4BI")
_ESTABLISHED, _SYN_SENT = 1 << 1, 1 << 2
_ID = slice(4, 52)
_MAPPED = bytes(10) + b"\xff\xff"


class RealSockets:
    """`kernel.sockets.Sockets`; `namespaces` gives paths or names of network namespaces, anew for each question."""

    def __init__(self, namespaces: Callable[[], Iterable[str]]) -> None:
        self._namespaces = namespaces

    def connected(self, protocol: int, ends: Collection[tuple[bytes, int]]) -> list[Peer]:
        wanted, found = set(ends), []
        for path in self._namespaces():
            with _may_be_gone():
                found += netns.run_in(path, _connected, protocol, wanted, path)
        return found

    def destroy(self, peers: Collection[Peer]) -> None:
        by_namespace: dict[str, list[Peer]] = {}
        for one in peers:
            by_namespace.setdefault(one.handle[49:].decode(), []).append(one)
        for path, held in by_namespace.items():
            with _may_be_gone():
                netns.run_in(path, _destroy, held)

    def close(self) -> None:
        pass


@contextlib.contextmanager
def _may_be_gone() -> Iterator[None]:
    """The last process of a namespace may have just ended."""
    try:
        yield
    except KernelError as error:
        if error.errno not in (errno.ENOENT, errno.ESRCH):
            raise


def can_destroy() -> bool:
    """Tries it on a socket of a namespace of its own (CONFIG_INET_DIAG_DESTROY)."""
    return netns.run_in_new(_try)


def namespaces_below(cgroup: Path) -> list[str]:
    """One path for each network namespace that processes of `cgroup` and those below it are in."""
    found: dict[int, str] = {}
    for directory, _, _ in os.walk(cgroup):
        try:
            pids = Path(directory, "cgroup.procs").read_text().split()
        except OSError:
            continue  # gone, or threaded
        for pid in pids:
            path = f"/proc/{pid}/ns/net"
            try:
                found.setdefault(os.stat(path).st_ino, path)
            except OSError:
                continue
    return list(found.values())


def _try() -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, socket.socket(type=socket.SOCK_DGRAM) as made:
        _set_lo_up(made)
        server.bind(("127.0.0.1", 0))
        made.connect(server.getsockname())
        end = _MAPPED + socket.inet_aton("127.0.0.1"), server.getsockname()[1]
        try:
            _destroy(_connected(17, {end}, ""))
        except OSError:
            return False
        return made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNABORTED


def _set_lo_up(using: socket.socket) -> None:
    fcntl.ioctl(using, 0x8914, struct.pack("16sh14x", b"lo", 0x1))


def _open() -> socket.socket:
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG)
    made.bind((0, 0))
    return made


def _connected(protocol: int, ends: set[tuple[bytes, int]], path: str) -> list[Peer]:
    found = []
    with _open() as door:
        for family in (socket.AF_INET, socket.AF_INET6):
            head = _REQUEST_HEAD.pack(family, protocol, 0, 0, _ESTABLISHED | _SYN_SENT)
            door.send(message(_BY_FAMILY, _REQUEST | _DUMP, 1, head + bytes(48)))
            for body in _answers(door):
                place = body[_ID]
                address = place[20:36] if body[0] == socket.AF_INET6 else _MAPPED + place[20:24]
                (port,) = struct.unpack_from(">H", place, 2)
                if (address, port) in ends:
                    (cookie,) = struct.unpack_from("=Q", place, 40)
                    found.append(Peer(protocol, address, port, cookie, body[:1] + place + path.encode()))
    return found


def _destroy(peers: Collection[Peer]) -> None:
    with _open() as door:
        for one in peers:
            head = _REQUEST_HEAD.pack(one.handle[0], one.protocol, 0, 0, 0xFFFFFFFF)
            door.send(message(_DESTROY, _REQUEST | _ACK, 1, head + one.handle[1:49]))
            for answer in messages(door.recv(1 << 16)):
                code, _ = error(answer)
                if code not in (0, errno.ENOENT):
                    raise OSError(code, f"cannot destroy a socket: {os.strerror(code)}")


def _answers(door: socket.socket) -> Iterator[bytes]:
    while True:
        for answer in messages(door.recv(1 << 17)):
            if answer.kind == _NLMSG_DONE:
                return
            if answer.kind == _NLMSG_ERROR:
                code, _ = error(answer)
                raise OSError(code, f"cannot list sockets: {os.strerror(code)}")
            yield answer.body
