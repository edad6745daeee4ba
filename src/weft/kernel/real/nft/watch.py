"""Notices when another program changes our tables: the kernel tells of every transaction (NFNLGRP_NFTABLES)."""

import ctypes
import errno
import socket
import struct
from collections.abc import Callable

from weft.kernel.real import netns as netns_of
from weft.kernel.real.netlink.message import messages
from weft.kernel.real.nft import wire

_GROUP = 7
_SO_ATTACH_FILTER, _SO_RCVBUFFORCE = 26, 33
_LOAD_WORD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_PORT_OFFSET = 12


class ForeignChanges:
    """Readable (`fileno`) when there is something to `read`."""

    def __init__(self, table: str, own: Callable[[], set[int]], netns: str = "") -> None:
        self._table = table
        self._own = own
        self._socket = netns_of.run_in(netns, _open) if netns else _open()
        self.refresh()

    def fileno(self) -> int:
        return self._socket.fileno()

    def refresh(self) -> None:
        """Leaves our own changes out inside the kernel, so that a large one does not fill the buffer with itself.

        libnftables may open a new socket at any time; what then slips through is known by its port when it is read.
        """
        ports = sorted(self._own())
        program = [struct.pack("=HBBI", _LOAD_WORD, 0, 0, _PORT_OFFSET)]
        for number, port in enumerate(ports):
            # The filter loads in network byte order what the header has in the machine's.
            swapped = int.from_bytes(struct.pack("=I", port & 0xFFFFFFFF), "big")
            program.append(struct.pack("=HBBI", _JUMP_IF_EQUAL, len(ports) - number, 0, swapped))
        program.append(struct.pack("=HBBI", _RETURN, 0, 0, 0xFFFFFFFF))
        program.append(struct.pack("=HBBI", _RETURN, 0, 0, 0))
        code = ctypes.create_string_buffer(b"".join(program))
        head = struct.pack("=HxxxxxxQ", len(program), ctypes.addressof(code))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, head)

    def read(self) -> bool:
        """Whether our tables were among what others changed since the last call; also where that is not known."""
        found = self._read()
        self.refresh()
        return found

    def _read(self) -> bool:
        found = False
        while True:
            try:
                data = self._socket.recv(1 << 18)
            except BlockingIOError:
                return found
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                found = True
                continue
            own = self._own()
            for one in messages(data):
                (port,) = struct.unpack_from("=I", data, _PORT_OFFSET)
                if one.kind != wire.NEW_GENERATION and port not in own and wire.table_of(one.body) == self._table:
                    found = True

    def close(self) -> None:
        self._socket.close()


def _open() -> socket.socket:
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, wire.NETLINK_NETFILTER)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 4 << 20)
    made.bind((0, 1 << (_GROUP - 1)))
    return made
