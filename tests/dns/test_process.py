"""`weft dns` as a process: flags, reload, signals, workers; and libc's resolver against it."""

import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.dns.conftest import free_port

from weft import __version__
from weft.dns.manifests import corefile, objects

COREFILE = """.:{port} {{
    bind 127.0.0.1
    errors
    health 127.0.0.1:{health} {{
        lameduck {lameduck}
    }}
    ready 127.0.0.1:{ready}
    hosts /dev/null {{
        192.0.2.{last} a.test
        no_reverse
    }}
    reload 50ms
}}
"""


class Process:
    def __init__(self, folder: Path, *flags: str, lameduck: str = "0s") -> None:
        self.port, self.health, self.ready = free_port(), free_port(), free_port()
        self.file, self.log, self.lameduck = folder / "Corefile", folder / "log", lameduck
        self.write(1)
        command = [sys.executable, "-m", "weft.dns", "-conf", str(self.file), *flags]
        with self.log.open("wb") as log:
            self.running = subprocess.Popen(command, stdout=log, stderr=log)

    def write(self, last: int, extra: str = "") -> None:
        values = {"port": self.port, "health": self.health, "ready": self.ready, "lameduck": self.lameduck}
        self.file.write_text(COREFILE.format(last=last, **values) + extra)

    def ask(self) -> str:
        command = ["dig", "@127.0.0.1", "-p", str(self.port), "+short", "+tries=1", "+time=1", "a.test"]
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()

    def until(self, wanted: str, seconds: float = 5) -> None:
        deadline = time.monotonic() + seconds
        while self.ask() != wanted:
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)


@contextmanager
def running(folder: Path, *flags: str, lameduck: str = "0s") -> Iterator[Process]:
    process = Process(folder, *flags, lameduck=lameduck)
    try:
        process.until("192.0.2.1")
        yield process
    finally:
        process.running.kill()
        process.running.wait()


def get(port: int, path: str) -> int:
    with socket.create_connection(("127.0.0.1", port), 2) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return int(sock.makefile().readline().split()[1])


def test_a_life(tmp_path):
    with running(tmp_path, lameduck="1s") as process:
        assert f"serving .:{process.port}" in process.log.read_text()
        assert get(process.ready, "/ready") == 200
        process.write(2)
        process.until("192.0.2.2")
        process.write(3, "oops {\n wrong\n}\n")
        deadline = time.monotonic() + 5
        while "reload failed" not in process.log.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        (line,) = [line for line in process.log.read_text().splitlines() if "reload failed" in line]
        assert re.search(r"Corefile:\d+: wrong: there is no such plugin", line)
        assert process.ask() == "192.0.2.2"
        assert get(process.health, "/health") == 200
        process.running.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert get(process.ready, "/ready") == 503
        assert get(process.health, "/health") == 200
        assert process.ask() == "192.0.2.2"
        assert process.running.wait(5) == 0
        assert "Traceback" not in process.log.read_text()


def test_workers_share_a_port(tmp_path):
    with running(tmp_path, "--workers", "2", "-quiet") as process:
        assert process.log.read_text() == ""
        assert {process.ask() for _ in range(20)} == {"192.0.2.1"}
        children = Path(f"/proc/{process.running.pid}/task/{process.running.pid}/children").read_text().split()
        assert len(children) == 1
        process.running.terminate()
        assert process.running.wait(5) == 0
        assert not Path(f"/proc/{children[0]}").exists()


def run(*flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "weft.dns", *flags], capture_output=True, text=True, timeout=20)


def test_version():
    for flag in ("-version", "--version"):
        assert run(flag).stdout.strip() == f"weft {__version__}"


@pytest.mark.parametrize(
    ("flags", "error"),
    [
        (["-conf", "/no/such"], "/no/such: No such file or directory (name the Corefile with -conf FILE)"),
        (["-dns.port", "0"], "-dns.port: 0 is not a port (give one from 1 to 65535)"),
        (["--workers", "0"], "--workers: 0 is not possible (give a number from 1 to 256)"),
    ],
)
def test_bad_flags(flags, error):
    result = run(*flags)
    assert (result.returncode, result.stderr.strip()) == (2, f"weft dns: {error}")


def test_a_port_in_use(tmp_path):
    with running(tmp_path) as process:
        (tmp_path / "other").write_text(f".:{process.port} {{\n bind 127.0.0.1\n}}\n")
        result = run("-conf", str(tmp_path / "other"))
    assert result.returncode == 2
    assert f"127.0.0.1:{process.port}: Address already in use (stop the other server" in result.stderr


def test_no_kubeconfig(tmp_path, monkeypatch):
    monkeypatch.delenv("KUBECONFIG", raising=False)
    (tmp_path / "Corefile").write_text(".:1 {\n kubernetes cluster.local\n}\n")
    result = run("--conf", str(tmp_path / "Corefile"))
    assert result.returncode == 2
    assert "Corefile:2: kubernetes: kubeconfig: none given (use --kubeconfig FILE" in result.stderr


def test_imports_stay_lean():
    """No HTTP client, no TLS, no YAML before a cluster is watched; they cost 20 MB."""
    code = "import sys, weft.dns.run; print(*sorted(m for m in sys.modules if '.' not in m))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"aiohttp", "yaml", "prometheus_client", "cryptography", "grpc"} & set(loaded)


LIBC = """
import asyncio, pathlib, socket, subprocess, sys
from tests.dns.conftest import KUBERNETES, World

async def main(folder):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    (folder / "resolv.conf").write_text(
        "nameserver 127.0.0.1\\nsearch default.svc.cluster.local svc.cluster.local cluster.local\\noptions ndots:5\\n")
    subprocess.run(["mount", "--bind", folder / "resolv.conf", "/etc/resolv.conf"], check=True)
    world = World(folder)
    world.port = 53
    world.namespace("default"); world.namespace("shop")
    world.service("default/web", ["10.96.0.20", "fd00::20"], "http:80/TCP")
    world.service("shop/db", "None", "pg:5432/TCP")
    world.slice("shop/db", "10.244.1.6", "10.244.2.6")
    await world.start(KUBERNETES.replace("errors", "hosts /dev/null . {\\n fallthrough local arpa\\n}"))
    for name in sys.argv[2:]:
        try:
            found = await asyncio.to_thread(socket.getaddrinfo, name, 80, type=socket.SOCK_STREAM)
            print(name, *sorted({address[4][0] for address in found}))
        except socket.gaierror as error:
            print(name, error.errno == socket.EAI_NONAME)
    print((await asyncio.to_thread(socket.gethostbyaddr, "10.96.0.20"))[0])
    await world.server.close()

asyncio.run(main(pathlib.Path(sys.argv[1])))
"""


@pytest.mark.root
def test_libc(tmp_path):
    """getaddrinfo with a pod's resolv.conf, in namespaces of its own."""
    assert shutil.which("unshare")
    names = ["web", "web.default", "web.default.svc", "web.default.svc.cluster.local", "db.shop", "db"]
    command = ["unshare", "--net", "--mount", sys.executable, "-c", LIBC, str(tmp_path), *names]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    both = "10.96.0.20 fd00::20"
    assert result.stdout.splitlines() == [
        *(f"{name} {both}" for name in names[:4]),
        "db.shop 10.244.1.6 10.244.2.6",
        "db True",
        "web.default.svc.cluster.local",
    ], result.stderr


def test_manifests():
    made = objects("registry.weft.local/weft:1", "10.96.0.10", "cluster.local", True)
    assert [(o["kind"], o["metadata"]["name"]) for o in made] == [
        ("ServiceAccount", "coredns"),
        ("ClusterRole", "system:coredns"),
        ("ClusterRoleBinding", "system:coredns"),
        ("ConfigMap", "coredns"),
        ("Deployment", "coredns"),
        ("Service", "kube-dns"),
    ]
    assert made[5]["spec"]["clusterIP"] == "10.96.0.10"
    assert made[5]["spec"]["ipFamilyPolicy"] == "PreferDualStack"
    assert {verb for rule in made[1]["rules"] for verb in rule["verbs"]} == {"list", "watch"}
    assert made[4]["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.weft.local/weft:1"


@pytest.mark.parametrize("domain", ["", ".", "a b", "cluster.local {", "a..b", "x\n}"])
def test_a_domain_cannot_change_the_corefile(domain):
    with pytest.raises(ValueError, match="domain"):
        corefile(domain)
