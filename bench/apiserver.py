"""Reads and durable writes a second, and how long a watcher waits: `weft apiserver` against kube-apiserver with etcd.

    .venv/bin/python bench/apiserver.py [--seconds 2] [--rounds 3] [--connections 16] [--only weft|peer]

Both servers run with the same certificates, their data on the same disk and flushed (etcd with fsync, SQLite with
synchronous=FULL); loads alternate between them, so that what else the machine does falls on both. The client is one
process that keeps every connection busy with one request at a time. Prints medians in a table and writes
bench/results/apiserver.json. kube-apiserver and etcd come from $WEFT_PEERS (default ~/.cache/weft-peers).
"""

import argparse
import asyncio
import json
import os
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from weft.lab.pki.layout import Pki
from weft.lab.pki.store import ensure

PEERS = Path(os.environ.get("WEFT_PEERS", "~/.cache/weft-peers")).expanduser()
RESULTS = Path(__file__).parent / "results"
LATENCIES = 100
MAPS, PODS = "/api/v1/namespaces/bench/configmaps", "/api/v1/namespaces/bench/pods"
_DATA = "x" * 600


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Connection(asyncio.Protocol):
    """One HTTP/1.1 connection; one request at a time, replies with Content-Length or in chunks."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._reply: asyncio.Future[tuple[int, bytes]] | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0 or self._reply is None:
            return
        head = bytes(self._buffer[:head_end]).lower()
        start = head_end + 4
        mark = head.find(b"content-length:")
        if mark >= 0:
            length = int(head[mark + 15 : (head + b"\r\n").find(b"\r\n", mark)])
            end = start + length
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[start:end])
        elif b"chunked" in head:
            if not self._buffer.endswith(b"0\r\n\r\n"):
                return
            body, end = bytes(self._buffer[start:]), len(self._buffer)
        else:
            body, end = b"", start
        del self._buffer[:end]
        reply, self._reply = self._reply, None
        reply.set_result((int(head[9:12]), body))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._reply and not self._reply.done():
            self._reply.set_exception(exc or ConnectionResetError())

    def call(self, method: str, path: str, body: bytes = b"") -> asyncio.Future[tuple[int, bytes]]:
        assert self.transport is not None
        self._reply = asyncio.get_running_loop().create_future()
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\nUser-Agent: bench\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.transport.write(head.encode() + body)
        return self._reply


class Client:
    def __init__(self, port: int, pki: Pki) -> None:
        self._port = port
        self.tls = ssl.create_default_context(cafile=pki.ca_certificate)
        self.tls.load_cert_chain(pki.clients["admin"].certificate, pki.clients["admin"].key)

    async def connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        _, made = await loop.create_connection(Connection, "127.0.0.1", self._port, ssl=self.tls)
        return made

    async def load(self, connections: int, seconds: float, make: Callable[[int], tuple[str, str, bytes]]) -> Any:
        """Closed loop: (requests a second, p50 ms, p99 ms)."""
        opened = [await self.connect() for _ in range(connections)]
        latencies: list[float] = []
        counter = 0
        ends = time.perf_counter() + seconds

        async def work(connection: Connection) -> None:
            nonlocal counter
            while (begun := time.perf_counter()) < ends:
                counter += 1
                code, body = await connection.call(*make(counter))
                if code >= 300:
                    raise RuntimeError(f"{code}: {body[:300]!r}")
                latencies.append(time.perf_counter() - begun)

        begun = time.perf_counter()
        await asyncio.gather(*(work(connection) for connection in opened))
        took = time.perf_counter() - begun
        for connection in opened:
            assert connection.transport is not None
            connection.transport.close()
        latencies.sort()
        return {
            "per_second": round(len(latencies) / took),
            "p50_ms": round(latencies[len(latencies) // 2] * 1e3, 2),
            "p99_ms": round(latencies[int(len(latencies) * 0.99)] * 1e3, 2),
        }


def config_map(name: str) -> bytes:
    return json.dumps(
        {
            "kind": "ConfigMap",
            "apiVersion": "v1",
            "metadata": {"name": name, "namespace": "bench", "labels": {"app": "bench"}},
            "data": {"value": _DATA},
        }
    ).encode()


def pod(name: str) -> bytes:
    container = {"name": "c", "image": "busybox", "command": ["sleep", "1d"]}
    meta = {"name": name, "namespace": "bench", "labels": {"app": "bench"}}
    spec = {"containers": [container], "nodeName": "node1", "automountServiceAccountToken": False}
    return json.dumps({"kind": "Pod", "apiVersion": "v1", "metadata": meta, "spec": spec}).encode()


async def watch_latency(client: Client, at: int) -> dict[str, float]:
    """From the first byte of a write to the event at a watcher, one write at a time."""
    connection = await client.connect()
    _, listed = await connection.call("GET", f"{MAPS}?limit=1")
    version = json.loads(listed)["metadata"]["resourceVersion"]
    reader, writer = await asyncio.open_connection("127.0.0.1", client._port, ssl=client.tls, limit=1 << 24)
    path = f"{MAPS}?watch=true&labelSelector=latency%3Dyes&resourceVersion={version}"
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    seen: dict[bytes, asyncio.Future[float]] = {}

    async def follow() -> None:
        while line := await reader.readline():
            for name, future in list(seen.items()):
                if name in line and not future.done():
                    future.set_result(time.perf_counter())

    task = asyncio.create_task(follow())
    latencies: list[float] = []
    for number in range(LATENCIES):
        name = f"latency-{at}-{number:05d}"
        body = json.loads(config_map(name))
        body["metadata"]["labels"]["latency"] = "yes"
        arrived = seen[f'"{name}"'.encode()] = asyncio.get_running_loop().create_future()
        begun = time.perf_counter()
        await connection.call("POST", MAPS, json.dumps(body).encode())
        latencies.append((await asyncio.wait_for(arrived, 10)) - begun)
        seen.clear()
    task.cancel()
    writer.close()
    latencies.sort()
    return {"p50_ms": round(statistics.median(latencies) * 1e3, 2), "p99_ms": round(latencies[-3] * 1e3, 2)}


class Bench:
    """One server under measurement. Each load makes objects of its own, so that rounds can alternate."""

    def __init__(self, port: int, pki: Pki, connections: int, seconds: float) -> None:
        self._client = Client(port, pki)
        self._connections = connections
        self._seconds = seconds
        self._round = 0

    async def prepare(self) -> None:
        first = await self._client.connect()
        namespace = {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "bench"}}
        await first.call("POST", "/api/v1/namespaces", json.dumps(namespace).encode())
        account = {"kind": "ServiceAccount", "apiVersion": "v1", "metadata": {"name": "default"}}
        await first.call("POST", "/api/v1/namespaces/bench/serviceaccounts", json.dumps(account).encode())
        for number in range(500):
            code, body = await first.call("POST", MAPS, config_map(f"fixed-{number}"))
            assert code == 201, body

    async def run(self, name: str) -> dict[str, float]:
        self._round += 1
        at = self._round
        if name == "watch latency":
            return await watch_latency(self._client, at)
        if name == "list Pods":
            return await self._list()
        make: dict[str, Callable[[int], tuple[str, str, bytes]]] = {
            "create ConfigMap": lambda n: ("POST", MAPS, config_map(f"map-{at}-{n}")),
            "create Pod": lambda n: ("POST", PODS, pod(f"pod-{at}-{n}")),
            "update ConfigMap": lambda n: (
                "PUT",
                f"{MAPS}/fixed-{n % 500}",
                config_map(f"fixed-{n % 500}").replace(b"xxxxxxxx", b"%08d" % (n + at * 100_000), 1),
            ),
            "get ConfigMap": lambda n: ("GET", f"{MAPS}/fixed-{n % 500}", b""),
        }
        found: dict[str, float] = await self._client.load(self._connections, self._seconds, make[name])
        return found

    async def _list(self) -> dict[str, float]:
        """Of up to 500 pods, from the cache."""
        connection = await self._client.connect()
        times = []
        for _ in range(10):
            begun = time.perf_counter()
            code, body = await connection.call("GET", f"{PODS}?resourceVersion=0&limit=500")
            times.append(time.perf_counter() - begun)
            assert code == 200, body[:200]
        return {"p50_ms": round(statistics.median(times) * 1e3, 1)}


LOADS = ("watch latency", "create ConfigMap", "create Pod", "update ConfigMap", "get ConfigMap", "list Pods")


async def alternate(benches: dict[str, Bench], rounds: int) -> dict[str, dict[str, Any]]:
    """Every load at one server and then at the other, several times over: medians of what each did."""
    for bench in benches.values():
        await bench.prepare()
    found: dict[str, dict[str, list[dict[str, float]]]] = {name: {load: [] for load in LOADS} for name in benches}
    for _ in range(rounds):
        for load in LOADS:
            for name, bench in benches.items():
                found[name][load].append(await bench.run(load))
    return {name: {load: medians(each) for load, each in loads.items()} for name, loads in found.items()}


def medians(results: list[dict[str, float]]) -> dict[str, float]:
    return {key: round(statistics.median(result[key] for result in results), 2) for key in results[0]}


def pss(*pids: int) -> int:
    """MB."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total // 1024


@contextmanager
def running(log: Path, *argv: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out:
        started = subprocess.Popen(argv, stdout=out, stderr=subprocess.STDOUT)
    try:
        yield started
    finally:
        started.terminate()
        try:
            started.wait(20)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def wait_until_ready(process: subprocess.Popen[bytes], port: int, pki: Pki, log: Path) -> float:
    """Seconds from now until /readyz says ok."""
    tls = ssl.create_default_context(cafile=pki.ca_certificate)
    tls.load_cert_chain(pki.clients["admin"].certificate, pki.clients["admin"].key)
    begun = time.perf_counter()
    while time.perf_counter() - begun < 120 and process.poll() is None:
        try:
            with urllib.request.urlopen(f"https://127.0.0.1:{port}/readyz", context=tls, timeout=5):
                return time.perf_counter() - begun
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(log.read_text()[-2000:])


def common(pki: Pki, port: int) -> list[str]:
    return [
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--tls-cert-file={pki.apiserver.certificate}",
        f"--tls-private-key-file={pki.apiserver.key}",
        f"--client-ca-file={pki.ca_certificate}",
        f"--service-account-key-file={pki.service_account_public}",
        f"--service-account-signing-key-file={pki.service_account_key}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        "--service-cluster-ip-range=10.96.0.0/12",
    ]


@contextmanager
def weft(home: Path, pki: Pki) -> Iterator[tuple[int, float, list[int]]]:
    """(port, seconds until ready, process ids)"""
    port = free_port()
    argv = [sys.executable, "-m", "weft.apiserver", *common(pki, port), f"--data={home / 'store.db'}"]
    with running(home / "weft.log", *argv) as server:
        yield port, wait_until_ready(server, port, pki, home / "weft.log"), [server.pid]


@contextmanager
def peer(home: Path, pki: Pki) -> Iterator[tuple[int, float, list[int]]]:
    port, client = free_port(), f"http://127.0.0.1:{free_port()}"
    other = f"http://127.0.0.1:{free_port()}"
    etcd = [
        str(PEERS / "etcd"),
        f"--data-dir={home / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={other}",
        f"--initial-advertise-peer-urls={other}",
        f"--initial-cluster=default={other}",
    ]
    flags = [
        f"--etcd-servers={client}",
        "--authorization-mode=Node,RBAC",
        "--advertise-address=127.0.0.1",
        "--endpoint-reconciler-type=none",
        f"--cert-dir={home / 'certs'}",
    ]
    with (
        running(home / "etcd.log", *etcd) as store,
        running(home / "peer.log", str(PEERS / "kube-apiserver"), *common(pki, port), *flags) as server,
    ):
        yield port, wait_until_ready(server, port, pki, home / "peer.log"), [server.pid, store.pid]


def table(results: dict[str, dict[str, Any]]) -> None:
    names = list(results)
    print(f"{'':22}" + "".join(f"{name:>34}" for name in names))
    for row in next(iter(results.values())):
        cells = []
        for name in names:
            value = results[name][row]
            if isinstance(value, dict):
                value = "  ".join(f"{key} {number}" for key, number in value.items())
            cells.append(f"{value:>34}")
        print(f"{row:22}" + "".join(cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2, help="of each load in each round (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="(default: %(default)s)")
    parser.add_argument("--connections", type=int, default=16, help="(default: %(default)s)")
    parser.add_argument("--only", choices=("weft", "peer"))
    args = parser.parse_args()
    kinds = {"weft": weft, "kube-apiserver + etcd": peer}
    if args.only == "weft" or not (PEERS / "kube-apiserver").is_file():
        del kinds["kube-apiserver + etcd"]
    if args.only == "peer":
        del kinds["weft"]
    with tempfile.TemporaryDirectory(prefix="weft-bench-", dir=Path.home()) as directory, ExitStack() as stack:
        home = Path(directory)
        pki = ensure(home / "pki", nodes={}, addresses=["127.0.0.1", "10.96.0.1"])
        started = {name: stack.enter_context(start(home, pki)) for name, start in kinds.items()}
        benches = {name: Bench(port, pki, args.connections, args.seconds) for name, (port, _, _) in started.items()}
        results: dict[str, dict[str, Any]] = {name: {"ready_s": round(started[name][1], 2)} for name in kinds}
        for name, pids in ((name, pids) for name, (_, _, pids) in started.items()):
            results[name]["memory idle MB"] = pss(*pids)
        for name, found in asyncio.run(alternate(benches, args.rounds)).items():
            results[name] |= {**found, "memory after MB": pss(*started[name][2])}
    table(results)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "apiserver.json").write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
