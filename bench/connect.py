"""How long connect(2) takes: to an endpoint itself, and to Services by each mode, among few and many Services.

    sudo .venv/bin/python bench/connect.py [--services 10,1000,10000] [--calls 8000]

Three processes in one pod's network namespace connect over TCP, through its node's namespace, to Services drawn at
random, with three endpoints each: one in a cgroup of the ebpf mode, one outside of it, whose packets nftables on the
same node translates; the third connects to an endpoint's own address. They take short turns in random order on one CPU,
so that noise meets all alike. Prints a table and writes bench/results/connect.json.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import socket
import statistics
import struct
import subprocess
import time
from collections.abc import Callable
from ipaddress import IPv4Address, ip_network
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from weft.kernel.real import netns
from weft.kernel.real.bpf import RealBpf, clear
from weft.kernel.real.nft import RealNft
from weft.lab.cgroups import version2
from weft.proxy.ebpf.cookie import netns_cookie
from weft.proxy.ebpf.mode import EbpfMode
from weft.proxy.endpoints import Endpoint
from weft.proxy.model import Entry, Frontend
from weft.proxy.nftables.mode import NftablesMode, layouts
from weft.proxy.plan import Mode

RESULTS = Path(__file__).parent / "results"
NAME = f"wb-{os.getpid()}"
PLACES = ("server", "node", "pod")
WAYS = ("direct", "ebpf", "nftables")
TURN = 40
SERVER = [f"10.244.0.{last}" for last in (2, 3, 4)]
PORT = 8080


def ns(name: str) -> str:
    return f"{NAME}-{name}"


def ip(name: str, *commands: str) -> None:
    subprocess.run(["ip", "-n", ns(name), "-batch", "-"], input="\n".join(commands), text=True, check=True)


def build() -> None:
    """pod ── node ── server"""
    for name in PLACES:
        netns.create(ns(name))
        ip(name, "link set lo up")
    netns.run_in(ns("node"), Path("/proc/sys/net/ipv4/ip_forward").write_text, "1")
    ip("server", "link add held type bridge", "link set held up", *(f"addr add {a}/32 dev held" for a in SERVER))
    join("server", "node", "10.0.1")
    join("node", "pod", "10.0.2")
    ip("server", "route add 10.0.2.0/24 via 10.0.1.2")


def join(near: str, far: str, net: str) -> None:
    """A veth, and the default route of its far end."""
    ip(near, f"link add {far} type veth peer name eth0 netns {ns(far)}", f"link set {far} up")
    ip(near, f"addr add {net}.1/24 dev {far}")
    ip(far, "link set eth0 up", f"addr add {net}.2/24 dev eth0", f"route add default via {net}.1")


def vip(number: int) -> bytes:
    return (int(IPv4Address("10.96.1.0")) + number).to_bytes(4, "big")


def plan(count: int) -> dict[Frontend, Entry]:
    ends = tuple(Endpoint(socket.inet_aton(address), PORT) for address in SERVER)
    return {Frontend(vip(n), "tcp", 80): Entry(f"default/s{n}", "ClusterIP", cluster=ends) for n in range(count)}


def serve(ready: Connection) -> None:
    os.sched_setaffinity(0, {(os.cpu_count() or 1) - 1})
    netns.enter(ns("server"))
    listener = socket.create_server(("", PORT), backlog=1024)
    ready.send(True)
    while True:
        listener.accept()[0].close()


def call(way: str, cgroup: Path | None, pipe: Connection) -> None:
    """A turn for each number received: so many Services there are; the durations in nanoseconds go back."""
    if cgroup is not None:
        (cgroup / "cgroup.procs").write_text(str(os.getpid()))
    os.sched_setaffinity(0, {0})
    netns.enter(ns("pod"))
    linger = struct.pack("ii", 1, 0)
    while count := pipe.recv():
        took = []
        for _ in range(TURN):
            to = (random.choice(SERVER), PORT)
            if way != "direct":
                to = (socket.inet_ntoa(vip(random.randrange(count))), 80)
            with socket.socket() as made:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                began = time.perf_counter_ns()
                made.connect(to)
                took.append(time.perf_counter_ns() - began)
        pipe.send(took)


def open_mode(cgroup: Path, directory: Path) -> Mode:
    beside = NftablesMode(RealNft(ns("node")), layouts([ip_network("10.0.0.0/8")], masquerade_all=False))
    return EbpfMode(RealBpf(cgroup, directory), beside, None, netns.run_in(ns("node"), netns_cookie))


def figures(took: list[int]) -> dict[str, float]:
    ordered = sorted(took)
    p99 = ordered[int(len(ordered) * 0.99)] / 1000
    return {"p50_us": round(statistics.median(ordered) / 1000, 2), "p99_us": round(p99, 2)}


def start(function: Callable[..., None], *args: Any) -> tuple[multiprocessing.process.BaseProcess, Connection]:
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    made = context.Process(target=function, args=(*args, there), daemon=True)
    made.start()
    return made, here


async def measure(mode: Mode, pipes: dict[str, Connection], count: int, calls: int) -> dict[str, Any]:
    await mode.apply(plan(count), complete=True)
    took: dict[str, list[int]] = {way: [] for way in WAYS}
    for _ in range(calls // TURN):
        for way in random.sample(WAYS, len(WAYS)):
            pipe = pipes[way]
            await asyncio.sleep(0.005)  # until the server has taken in the last turn's
            pipe.send(count)
            took[way] += pipe.recv()
    return {way: figures(taken) for way, taken in took.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", default="10,1000,10000")
    parser.add_argument("--calls", type=int, default=8000)
    args = parser.parse_args()
    cgroup, directory = version2(f"/{NAME}"), Path("/run", NAME)
    processes, mode = [], None
    try:
        cgroup.mkdir()
        build()
        mode = open_mode(cgroup, directory)
        server, ready = start(serve)
        processes.append(server)
        ready.recv()
        pipes = {}
        for way in WAYS:
            process, pipes[way] = start(call, way, cgroup if way == "ebpf" else None)
            processes.append(process)
        results = {}
        print(f"{'services':>9} {'way':9} {'p50 µs':>8} {'p99 µs':>8} {'p50 / direct':>13}")
        for count in map(int, args.services.split(",")):
            found = results[f"{count} services"] = asyncio.run(measure(mode, pipes, count, args.calls))
            for way, one in found.items():
                ratio = one["p50_us"] / found["direct"]["p50_us"]
                print(f"{count:9} {way:9} {one['p50_us']:8.1f} {one['p99_us']:8.1f} {ratio:13.2f}")
        (RESULTS / "connect.json").write_text(json.dumps(results, indent=2) + "\n")
    finally:
        for process in processes:
            process.kill()
            process.join()
        if mode is not None:
            mode.close()
        clear(directory)
        for name in PLACES:
            netns.delete(ns(name))
        cgroup.rmdir()


if __name__ == "__main__":
    main()
