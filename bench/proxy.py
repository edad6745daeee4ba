"""Cold start, one endpoint's change, and memory of `weft proxy` against kube-proxy (nftables mode), same objects.

    sudo .venv/bin/python bench/proxy.py [--sizes 1000x3,10000x10] [--changes 30] [--only weft|kube]

Each proxy runs alone in a network namespace of its own, with a stub API server on its loopback that serves the lists
from memory and then one watch event per change: so only the proxies are compared, neither etcd nor TLS. A change is
done when the kernel has committed it (its NEWGEN notification). Prints a table and writes bench/results/proxy.json.
kube-proxy comes from $WEFT_PEERS (default ~/.cache/weft-peers).
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from aiohttp import web

from weft.kernel.real import netns
from weft.kernel.real.nft import RealNft
from weft.kernel.state.nft import Transaction
from weft.proxy.nftables.layout import Layout

PEERS = Path(os.environ.get("WEFT_PEERS", "~/.cache/weft-peers")).expanduser()
RESULTS = Path(__file__).parent / "results"
API, METRICS = 18080, 10249
_NFT_GROUP = 7
_NEWGEN = 10 << 8 | 15


def address(base: str, number: int) -> str:
    return str(IPv4Address(int(IPv4Address(base)) + number))


def a_service(number: int) -> dict[str, Any]:
    ip = address("10.96.1.0", number)
    return {
        "metadata": {"name": f"s{number}", "namespace": "default", "uid": f"s{number}", "resourceVersion": "1"},
        "spec": {
            "type": "ClusterIP", "clusterIP": ip, "clusterIPs": [ip],
            "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}], "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack", "internalTrafficPolicy": "Cluster", "sessionAffinity": "None",
            "selector": {"app": f"s{number}"},
        },
        "status": {"loadBalancer": {}},
    }  # fmt: skip


def a_slice(number: int, count: int, each: int, version: int = 1) -> dict[str, Any]:
    return {
        "metadata": {
            "name": f"s{number}-abcde", "namespace": "default", "uid": f"e{number}", "resourceVersion": str(version),
            "labels": {"kubernetes.io/service-name": f"s{number}"},
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "endpoints": [
            {
                "addresses": [address("10.244.0.0", number * each + one)], "nodeName": f"node{one}",
                "conditions": {"ready": True, "serving": True, "terminating": False},
                "targetRef": {"kind": "Pod", "namespace": "default", "name": f"s{number}-{one}", "uid": f"{number}"},
            }
            for one in range(count)
        ],
    }  # fmt: skip


NODE = {
    "metadata": {"name": "node1", "uid": "n1", "resourceVersion": "1"},
    "spec": {"podCIDR": "10.244.0.0/24"},
    "status": {"addresses": [{"type": "InternalIP", "address": "127.0.0.1"}]},
}


@dataclass
class Stub:
    """Lists from memory; `change` sends one event to whoever watches the slices."""

    services: int
    each: int
    watchers: list[web.StreamResponse] = field(default_factory=list)
    version: int = 1

    def lists(self) -> dict[str, bytes]:
        slices = [a_slice(n, self.each, self.each) for n in range(self.services)]
        found = {
            "/api/v1/services": ("v1", "ServiceList", [a_service(n) for n in range(self.services)]),
            "/apis/discovery.k8s.io/v1/endpointslices": ("discovery.k8s.io/v1", "EndpointSliceList", slices),
            "/api/v1/nodes": ("v1", "NodeList", [NODE]),
            "/apis/networking.k8s.io/v1/servicecidrs": ("networking.k8s.io/v1", "ServiceCIDRList", []),
        }  # fmt: skip
        return {
            path: json.dumps(
                {"apiVersion": v, "kind": k, "metadata": {"resourceVersion": "1"}, "items": items}
            ).encode()
            for path, (v, k, items) in found.items()
        }

    async def start(self) -> web.AppRunner:
        self._lists = self.lists()
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", API).start()
        return runner

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.path.startswith("/api/v1/nodes/"):
            return web.json_response({"apiVersion": "v1", "kind": "Node", **NODE})
        body = self._lists.get(request.path)
        if body is None or request.method != "GET":
            return web.json_response(
                {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404}, status=404
            )
        if request.query.get("watch") not in ("true", "1"):
            return web.Response(body=body, content_type="application/json")
        if "sendInitialEvents" in request.query:
            refusal = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Invalid", "code": 422}
            return web.json_response(refusal, status=422)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        if request.path.endswith("endpointslices"):
            self.watchers.append(response)
        await asyncio.sleep(3600)
        return response

    async def change(self, number: int, count: int) -> None:
        self.version += 1
        one = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice"} | a_slice(
            number, count, self.each, self.version
        )
        line = json.dumps({"type": "MODIFIED", "object": one}).encode() + b"\n"
        for watcher in self.watchers:
            await watcher.write(line)


def commits() -> socket.socket:
    """A socket that hears of every nftables transaction in this namespace."""
    heard = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
    heard.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)
    heard.bind((0, 1 << (_NFT_GROUP - 1)))
    heard.setblocking(False)
    return heard


async def committed(heard: socket.socket, timeout: float) -> float:
    """When the next transaction was."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(timeout):
        while True:
            data = await loop.sock_recv(heard, 1 << 20)
            if int.from_bytes(data[4:6], "little") == _NEWGEN:
                return time.perf_counter()


def drain(heard: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            heard.recv(1 << 20)


def commands(which: str, config: str) -> list[str]:
    common = ["--hostname-override", "node1", "--cluster-cidr", "10.240.0.0/12", "--proxy-mode", "nftables"]
    if which == "weft":
        return [sys.executable, "-m", "weft.proxy", "--kubeconfig", config, *common]
    return [
        str(PEERS / "kube-proxy"), "--kubeconfig", config, *common, "--conntrack-max-per-core=0",
        "--conntrack-tcp-timeout-established=0s", "--conntrack-tcp-timeout-close-wait=0s", "--v=1",
    ]  # fmt: skip


def start(which: str, config: Path, log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as out:
        return subprocess.Popen(commands(which, str(config)), stdout=out, stderr=out)


async def synced(proxy: subprocess.Popen[bytes], timeout: float = 400) -> None:
    """Until the proxy says that it has made its first sync."""
    pattern = re.compile(
        rb"^kubeproxy_sync_proxy_rules_last_timestamp_seconds(?:\{.*ip_family=\"IPv4\".*\})? (.*)$", re.M
    )
    async with asyncio.timeout(timeout):
        while proxy.poll() is None:
            with contextlib.suppress(OSError):
                text = await asyncio.to_thread(_metrics)
                match = pattern.search(text)
                if match and float(match[1]) > 0:
                    return
            await asyncio.sleep(0.02)
        raise RuntimeError(f"the proxy ended with status {proxy.returncode}")


def _metrics() -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{METRICS}/metrics", timeout=10) as answer:
        return bytes(answer.read())


def memory(pid: int) -> dict[str, float]:
    """Megabytes: proportional set size now, and the most that was ever resident."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    status = Path(f"/proc/{pid}/status").read_text()
    pss, peak = re.search(r"^Pss:\s+(\d+)", rollup, re.M), re.search(r"^VmHWM:\s+(\d+)", status, re.M)
    assert pss and peak
    return {"pss_mb": int(pss[1]) / 1024, "peak_mb": int(peak[1]) / 1024}


async def measure(which: str, services: int, each: int, changes: int) -> dict[str, float]:
    """In the namespace already."""
    stub = Stub(services, each)
    runner = await stub.start()
    heard = commits()
    with tempfile.TemporaryDirectory() as home:
        config = Path(home, "kubeconfig")
        document = {
            "apiVersion": "v1", "kind": "Config", "current-context": "x",
            "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
            "clusters": [{"name": "x", "cluster": {"server": f"http://127.0.0.1:{API}"}}],
            "users": [{"name": "x", "user": {}}],
        }  # fmt: skip
        config.write_text(json.dumps(document))
        log = Path(home, "log")
        began = time.perf_counter()
        proxy = start(which, config, log)
        try:
            await synced(proxy)
            found: dict[str, float] = {"cold_start_s": time.perf_counter() - began, **memory(proxy.pid)}
            await asyncio.sleep(2)
            latencies = []
            for number in range(changes):
                drain(heard)
                sent = time.perf_counter()
                await stub.change(number * 7 % services, each - 1)
                latencies.append(await committed(heard, 60) - sent)
                await asyncio.sleep(0.05)
            found["change_p50_ms"] = statistics.median(latencies) * 1e3
            found["change_p99_ms"] = sorted(latencies)[int(len(latencies) * 0.99)] * 1e3
            found["cpu_s"] = cpu(proxy.pid)
            began = time.perf_counter()
            proxy.terminate()
            proxy.wait()
            proxy = start(which, config, log)
            await synced(proxy)
            found["restart_s"] = time.perf_counter() - began
        except (TimeoutError, RuntimeError):
            print(log.read_text()[-2000:], file=sys.stderr)
            raise
        finally:
            proxy.kill()
            proxy.wait()
            heard.close()
            await runner.cleanup()
    return found


def cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def kernel_part(changes: int) -> dict[str, float]:
    """How long the kernel takes for the transaction of one endpoint, in the table that the proxy left."""
    nft, layout = RealNft(), Layout("ip")
    ends = layout.endpoints("tcp")
    took = []
    for key, end in list(nft.elements(ends).items())[:changes]:
        for change in (Transaction().delete_elements(ends, [key]), Transaction().add_elements(ends, {key: end})):
            began = time.perf_counter()
            nft.apply(change)
            took.append(time.perf_counter() - began)
    nft.close()
    return {
        "kernel_p50_ms": statistics.median(took) * 1e3,
        "kernel_p99_ms": sorted(took)[int(len(took) * 0.99)] * 1e3,
    }


@contextlib.contextmanager
def namespace() -> Iterator[str]:
    name = f"weft-bench-proxy-{os.getpid()}"
    netns.create(name)
    try:
        netns.run_in(name, lambda: subprocess.run(["ip", "link", "set", "lo", "up"], check=True))
        yield name
    finally:
        netns.delete(name)


def one(which: str, size: str, changes: int) -> dict[str, float]:
    """In a process of its own inside a new namespace."""
    again = [sys.executable, __file__, "--inside", which, "--sizes", size, "--changes", str(changes)]
    with namespace() as name:
        done = subprocess.run(["ip", "netns", "exec", name, *again], stdout=subprocess.PIPE, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def inside(which: str, size: str, changes: int) -> None:
    services, each = map(int, size.split("x"))
    found = asyncio.run(measure(which, services, each, changes))
    if which == "weft":
        found |= kernel_part(500)
    print(json.dumps(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1000x3,10000x10")
    parser.add_argument("--changes", type=int, default=30)
    parser.add_argument("--only", choices=["weft", "kube"])
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.inside:
        inside(args.inside, args.sizes, args.changes)
        return
    results: dict[str, dict[str, float]] = {}
    for size in args.sizes.split(","):
        for which in [args.only] if args.only else ["weft", "kube"]:
            if which == "kube" and not (PEERS / "kube-proxy").is_file():
                print(f"kube-proxy is not in {PEERS}")
                continue
            results[f"{which} {size}"] = found = one(which, size, args.changes)
            print(f"{which:5} {size:10}", " ".join(f"{name}={value:.2f}" for name, value in found.items()), flush=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "proxy.json").write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
