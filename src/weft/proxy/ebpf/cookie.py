"""Which network namespace is the node's own, in the number by which BPF programs know it."""

import socket

from weft.kernel.bpf import BpfError

_SO_NETNS_COOKIE = 71


def netns_cookie() -> int:
    """Of the calling thread's namespace. BpfError before Linux 5.14."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        try:
            return int.from_bytes(made.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8), "little")
        except OSError as error:
            raise BpfError(error.errno or 0, "mode ebpf needs Linux 5.14 or later (for SO_NETNS_COOKIE)") from None
