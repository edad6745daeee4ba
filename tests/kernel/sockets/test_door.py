"""sock_diag: sockets are found in all namespaces, and destroyed."""

import errno
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from weft.kernel.real import netns
from weft.kernel.real.sockets import RealSockets, can_destroy, namespaces_below

pytestmark = pytest.mark.root
_SO_COOKIE = 57


@pytest.fixture
def namespace() -> Iterator[str]:
    name = f"wt-sock-{os.getpid()}"
    netns.create(name)
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        yield name
    finally:
        netns.delete(name)


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"),
                                              (socket.AF_INET6, "::ffff:127.0.0.1")])  # fmt: skip
def test_found_and_destroyed(namespace: str, kind: int, family: int, host: str) -> None:
    if not can_destroy():
        pytest.skip("no CONFIG_INET_DIAG_DESTROY")
    number = socket.IPPROTO_TCP if kind == socket.SOCK_STREAM else socket.IPPROTO_UDP
    server, made = (netns.run_in(namespace, socket.socket, family, kind) for _ in range(2))
    with server, made:
        server.bind((host, 0))
        if kind == socket.SOCK_STREAM:
            server.listen()
        port = server.getsockname()[1]
        made.connect((host, port))
        wide = socket.inet_pton(socket.AF_INET6, host if family == socket.AF_INET6 else f"::ffff:{host}")
        door = RealSockets(lambda: [namespace, "wt-no-such"])
        found = door.connected(number, [(wide, port)])
        cookie = int.from_bytes(made.getsockopt(socket.SOL_SOCKET, _SO_COOKIE, 8), "little")
        assert [(one.cookie, one.address, one.port) for one in found] == [(cookie, wide, port)]
        assert door.connected(number, [(wide, port ^ 1)]) == []
        door.destroy(found)
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNABORTED
        door.destroy(found)


def test_namespaces_of_a_cgroup_s_processes(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    for at in (tmp_path, tmp_path / "below"):
        (at / "cgroup.procs").write_text(f"{os.getpid()}\n999999999\n0\n")
    assert namespaces_below(tmp_path) == [f"/proc/{os.getpid()}/ns/net"]
