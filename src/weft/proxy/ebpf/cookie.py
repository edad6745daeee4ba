"""Which network namespace is the node's own, in the number by which BPF programs know it."""

import socket

_SO_NETNS_COOKIE = 71


def netns_cookie() -> int:
    """Of the calling thread's namespace. OSError before Linux 5.14."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        return int.from_bytes(made.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8), "little")
