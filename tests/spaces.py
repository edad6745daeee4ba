"""Network namespaces for tests: fresh ones with names of their own, gone afterwards; sockets in them; echoes."""

import contextlib
import itertools
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from weft.kernel.real import netns

_numbers = itertools.count(1)
MakeSpace = Callable[[str], str]
"""Word → name of a new namespace."""


@pytest.fixture
def make_space() -> Iterator[MakeSpace]:
    made: list[str] = []

    def make(word: str) -> str:
        name = f"wt{os.getpid()}-{next(_numbers)}-{word}"
        netns.create(name)
        made.append(name)
        return name

    yield make
    for name in made:
        netns.delete(name)


@contextlib.contextmanager
def echo(space: str, address: str, port: int = 7000) -> Iterator[None]:
    """A TCP server in the namespace that answers each connection with the address that it came from."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = netns.run_in(space, socket.create_server, (address, port), family=family)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, peer = listener.accept()
                with connection:
                    connection.sendall(str(peer[0]).encode())

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def seen_from(space: str, address: str, port: int = 7000) -> str:
    """The source address that an `echo` at `address` sees when the namespace connects to it."""

    def connect() -> str:
        with socket.create_connection((address, port), timeout=3) as connection:
            return connection.recv(100).decode()

    return netns.run_in(space, connect)


def ping(space: str, address: str, seconds: float = 2.0) -> str:
    """Sends an ICMP echo request; returns the address that the reply comes from, TimeoutError without one."""
    v6 = ":" in address
    family, protocol = (socket.AF_INET6, socket.IPPROTO_ICMPV6) if v6 else (socket.AF_INET, socket.IPPROTO_ICMP)
    request, reply = (128, 129) if v6 else (8, 0)
    packet = struct.pack(">BBHHH", request, 0, 0, 77, 1) + b"weft"
    total = sum(struct.unpack(">6H", packet))
    checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    packet = packet[:2] + struct.pack(">H", checksum) + packet[4:]
    with netns.run_in(space, socket.socket, family, socket.SOCK_RAW, protocol) as raw:
        end = time.monotonic() + seconds
        raw.sendto(packet, (address, 0))
        while True:
            raw.settimeout(max(end - time.monotonic(), 0.001))
            data, sender = raw.recvfrom(1000)
            if data[0 if v6 else 20] == reply:
                return str(sender[0])
