"""Cluster DNS against CoreDNS, one core each, on the same objects in the same run.

  python bench/dns.py [--services 10000] [--endpoints 10] [--seconds 5] [--json FILE] [--without-peer]

Queries a second (dnsperf), memory, start, time from a watch event to the changed answer, and queries lost over reloads.
Needs dnsperf, taskset, two cores, and CoreDNS in $WEFT_PEERS or ~/.cache/weft-peers.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

PEERS = Path(os.environ.get("WEFT_PEERS", "~/.cache/weft-peers")).expanduser()
NAMESPACES = 100
COREFILE = """.:{port} {{
    bind 127.0.0.1
    errors
    health 127.0.0.1:{health} {{
       lameduck 0s
    }}
    ready 127.0.0.1:{ready}
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
       kubeconfig {kubeconfig}
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }}
    prometheus 127.0.0.1:{metrics}
    forward . 127.0.0.1:{upstream} {{
       max_concurrent 1000
    }}
    cache 30
    loop
    reload {reload}
    loadbalance
}}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Api:
    """As much of an API server as list and watch need; `put` changes an object and tells the watches."""

    def __init__(self, services: int, endpoints: int) -> None:
        self.version = 1000
        self.sent = 0.0
        self.objects: dict[str, dict[str, Any]] = {"namespaces": {}, "services": {}, "endpointslices": {}}
        self._watches: dict[str, list[asyncio.Queue[bytes]]] = {plural: [] for plural in self.objects}
        for n in range(NAMESPACES):
            self._keep("namespaces", {"metadata": {"name": f"ns-{n}"}})
        for n in range(services):
            self._keep("services", service(n))
            self._keep("endpointslices", slice_(n, endpoints))

    def _keep(self, plural: str, obj: Any) -> None:
        self.version += 1
        meta = obj["metadata"]
        meta |= {"resourceVersion": str(self.version), "uid": f"{plural}-{meta['name']}"}
        self.objects[plural][f"{meta.get('namespace', '')}/{meta['name']}"] = obj

    def put(self, plural: str, obj: Any) -> None:
        self._keep(plural, obj)
        kind = "Service" if plural == "services" else "EndpointSlice"
        api = "v1" if plural == "services" else "discovery.k8s.io/v1"
        line = msgspec.json.encode({"type": "MODIFIED", "object": {"kind": kind, "apiVersion": api, **obj}}) + b"\n"
        self.sent = time.perf_counter()
        for queue in self._watches[plural]:
            queue.put_nowait(line)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        plural = request.path.rpartition("/")[2]
        if plural not in self.objects:
            return web.Response(status=404)
        if "sendInitialEvents" in request.query:
            status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Invalid", "code": 422}
            return web.json_response(status, status=422)
        kind = {"namespaces": "Namespace", "services": "Service", "endpointslices": "EndpointSlice"}[plural]
        api = "discovery.k8s.io/v1" if plural == "endpointslices" else "v1"
        if "watch" not in request.query:
            items = list(self.objects[plural].values())
            body = {"kind": f"{kind}List", "apiVersion": api, "metadata": {"resourceVersion": str(self.version)}}
            return web.Response(body=msgspec.json.encode({**body, "items": items}), content_type="application/json")
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._watches[plural].append(queue)
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(await queue.get())
        return response


def service(n: int, address: str = "") -> dict[str, Any]:
    ip = address or f"10.{96 + (n >> 16)}.{n >> 8 & 255}.{n & 255}"
    ports = [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}]
    spec = {"clusterIP": ip, "clusterIPs": [ip], "type": "ClusterIP", "ports": ports, "selector": {"app": f"svc-{n}"}}
    return {"metadata": {"name": f"svc-{n}", "namespace": f"ns-{n % NAMESPACES}"}, "spec": spec}


def slice_(n: int, endpoints: int) -> dict[str, Any]:
    first = n * endpoints
    made = [
        {
            "addresses": [f"10.{128 + (i >> 16)}.{i >> 8 & 255}.{i & 255}"],
            "conditions": {"ready": True, "serving": True, "terminating": False},
            "nodeName": f"node-{i % 50}",
            "targetRef": {"kind": "Pod", "name": f"svc-{n}-{i}", "namespace": f"ns-{n % NAMESPACES}"},
        }
        for i in range(first, first + endpoints)
    ]
    labels = {"kubernetes.io/service-name": f"svc-{n}", "endpointslice.kubernetes.io/managed-by": "bench"}
    meta = {"name": f"svc-{n}-abcde", "namespace": f"ns-{n % NAMESPACES}", "labels": labels}
    ports = [{"name": "http", "port": 8080, "protocol": "TCP"}]
    return {"metadata": meta, "addressType": "IPv4", "endpoints": made, "ports": ports}


@contextmanager
def api_server(services: int, endpoints: int) -> Iterator[tuple[Api, int, asyncio.AbstractEventLoop]]:
    api, port, loop = Api(services, endpoints), free_port(), asyncio.new_event_loop()
    started = threading.Event()

    async def main() -> None:
        app = web.Application()
        app.router.add_get("/{path:.*}", api.serve)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        started.set()
        await asyncio.Event().wait()

    threading.Thread(target=lambda: loop.run_until_complete(main()), daemon=True).start()
    started.wait()
    yield api, port, loop


class Program:
    """A DNS server under test, on the second core."""

    def __init__(self, name: str, command: list[str], folder: Path, api_port: int, upstream: int) -> None:
        self.name, self.port, self.folder = name, free_port(), folder / name
        self.folder.mkdir()
        (self.folder / "kubeconfig").write_text(
            json.dumps({
                "apiVersion": "v1", "kind": "Config", "current-context": "x",
                "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
                "clusters": [{"name": "x", "cluster": {"server": f"http://127.0.0.1:{api_port}"}}],
                "users": [{"name": "x", "user": {}}],
            })
        )  # fmt: skip
        self.values = {"health": free_port(), "ready": free_port(), "metrics": free_port(), "upstream": upstream}
        self.write("2s" if name == "coredns" else "100ms")
        begun = time.perf_counter()
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                ["taskset", "-c", "1", *command, "-conf", str(self.folder / "Corefile")],
                stdout=log, stderr=log, env={**os.environ, "GOMAXPROCS": "1"},
            )  # fmt: skip
        while self.ask("svc-1.ns-1.svc.cluster.local") is None:
            if time.perf_counter() - begun > 60 or self.process.poll() is not None:
                raise SystemExit(f"{name} does not answer:\n{(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.01)
        self.start = time.perf_counter() - begun

    def write(self, reload: str, comment: str = "") -> None:
        text = COREFILE.format(port=self.port, kubeconfig=self.folder / "kubeconfig", reload=reload, **self.values)
        (self.folder / "new").write_text(f"# {comment}\n{text}")
        (self.folder / "new").replace(self.folder / "Corefile")

    def ask(self, name: str, timeout: float = 0.2) -> str | None:
        """The last address of the answer, or None."""
        labels = b"".join(bytes((len(part),)) + part.encode() for part in name.split("."))
        query = os.urandom(2) + b"\x01\0\0\1\0\0\0\0\0\0" + labels + b"\0\0\1\0\1"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(timeout)
            sock.connect(("127.0.0.1", self.port))
            try:
                sock.send(query)
                reply = sock.recv(2048)
            except OSError:
                return None
        return socket.inet_ntoa(reply[-4:]) if reply[6:8] != b"\0\0" else None

    def memory(self) -> float:
        """MB that the process holds, its share of shared pages counted in (PSS)."""
        text = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        found = re.search(r"^Pss:\s+(\d+)", text, re.M)
        assert found
        return int(found[1]) / 1024

    def cpu(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def dnsperf(program: Program, queries: Path, seconds: int) -> tuple[float, float, int]:
    """Queries a second, queries a second of the server's processor time, and queries lost."""
    before = program.cpu()
    out = subprocess.run(
        ["taskset", "-c", "0", "dnsperf", "-s", "127.0.0.1", "-p", str(program.port), "-d", str(queries),
         "-l", str(seconds), "-c", "8", "-q", "400"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    rate = float(re.search(r"Queries per second:\s+([\d.]+)", out)[1])  # type: ignore[index]
    done = int(re.search(r"Queries completed:\s+(\d+)", out)[1])  # type: ignore[index]
    lost = int(re.search(r"Queries lost:\s+(\d+)", out)[1])  # type: ignore[index]
    return rate, done / max(program.cpu() - before, 1e-9), lost


def write_queries(folder: Path, services: int) -> dict[str, Path]:
    chosen = random.Random(7)
    names = [f"svc-{n}.ns-{n % NAMESPACES}" for n in range(services)]
    found = [f"{name}.svc.cluster.local A" for name in names]
    hosts = [f"host-{n}.example.com" for n in range(200)]
    search = ("ns-1.svc.cluster.local", "svc.cluster.local", "cluster.local")
    missing = [f"{host}.{zone} {type_}" for host in hosts for zone in search for type_ in ("A", "AAAA")]
    mixed = chosen.choices(found, k=6000) + chosen.choices(missing, k=3000)
    mixed += [f"_http._tcp.{name}.svc.cluster.local SRV" for name in chosen.choices(names, k=500)]
    mixed += [f"{name}.svc.cluster.local AAAA" for name in chosen.choices(names, k=500)]
    files = {}
    for label, lines in (("services", found), ("search negatives", missing), ("mixed", mixed)):
        chosen.shuffle(lines)
        files[label] = folder / f"{label.replace(' ', '-')}.txt"
        files[label].write_text("\n".join(lines) + "\n")
    return files


def change_latency(program: Program, api: Api, loop: asyncio.AbstractEventLoop, times: int) -> list[float]:
    """Seconds from the watch event to the changed answer."""
    found = []
    for turn in range(times):
        wanted = f"10.200.{turn >> 8}.{turn & 255}"
        changed = service(17, wanted)
        before = program.ask("svc-17.ns-17.svc.cluster.local")
        assert before
        loop.call_soon_threadsafe(api.put, "services", changed)
        deadline = time.perf_counter() + 40
        while program.ask("svc-17.ns-17.svc.cluster.local", 1) != wanted and time.perf_counter() < deadline:
            pass
        found.append(time.perf_counter() - api.sent)
    return found


def reload_losses(program: Program, queries: Path, times: int) -> tuple[int, int]:
    """Reloads that took place, and queries lost meanwhile."""
    load = subprocess.Popen(
        ["taskset", "-c", "0", "dnsperf", "-s", "127.0.0.1", "-p", str(program.port), "-d", str(queries), "-Q", "2000",
         "-l", str(max(int(times * 0.12) + 2, 5))],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    for turn in range(times):
        program.write("50ms", f"turn {turn}")
        time.sleep(0.12)
    out = load.communicate()[0]
    done = (program.folder / "log").read_text().count("reloaded")
    return done, int(re.search(r"Queries lost:\s+(\d+)", out)[1])  # type: ignore[index]


def measure(program: Program, files: dict[str, Path], api: Api, loop: asyncio.AbstractEventLoop, args: Any) -> Any:
    result: dict[str, Any] = {"start s": round(program.start, 2), "memory idle MB": round(program.memory(), 1)}
    for label, path in files.items():
        dnsperf(program, path, 1)
        rate, per_cpu, lost = dnsperf(program, path, args.seconds)
        result |= {f"{label} q/s": round(rate), f"{label} q/cpu-s": round(per_cpu), f"{label} lost": lost}
    result["memory after MB"] = round(program.memory(), 1)
    times = change_latency(program, api, loop, 3 if program.name == "coredns" else args.changes)
    result["change p50 ms"] = round(statistics.median(times) * 1e3, 2)
    result["change p99 ms"] = round(sorted(times)[int(len(times) * 0.99)] * 1e3, 2)
    if program.name == "weft":
        result["reloads"], result["lost over reloads"] = reload_losses(program, files["services"], args.reloads)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=10000)
    parser.add_argument("--endpoints", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--changes", type=int, default=300)
    parser.add_argument("--reloads", type=int, default=100)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--without-peer", action="store_true")
    args = parser.parse_args()
    commands = {"weft": [sys.executable, "-m", "weft.dns"]}
    if not args.without_peer:
        commands["coredns"] = [str(PEERS / "coredns")]
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name, api_server(args.services, args.endpoints) as (api, port, loop):
        folder, upstream = Path(name), free_port()
        files = write_queries(folder, args.services)
        for label, command in commands.items():
            program = Program(label, command, folder, port, upstream)
            try:
                results[label] = measure(program, files, api, loop, args)
            finally:
                program.process.terminate()
                program.process.wait()
    show(results)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(results, indent=1))


def show(results: dict[str, Any]) -> None:
    print(f"{'':24}" + "".join(f"{name:>14}" for name in results) + ("         ratio" if len(results) > 1 else ""))
    for key in results["weft"]:
        values = [result.get(key) for result in results.values()]
        row = f"{key:24}" + "".join(f"{'-' if value is None else value:>14}" for value in values)
        if len(values) > 1 and all(values):
            row += f"{values[0] / values[1]:>14.2f}"
        print(row)


if __name__ == "__main__":
    main()
