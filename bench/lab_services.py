"""How soon Services reach the kernels of all nodes of a lab, through the API server and every proxy.

    bench/lab_services.py [--nodes 3] [--services 1000] [--changes 50] [--json FILE]

Each Service has three endpoints, given by hand, so that only API server, watches and proxies are measured. The kernel's
own notifications (`nft monitor`) tell when each node has them. Prints a table and writes JSON. As root.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from weft.cluster.objects.resource import ENDPOINT_SLICES, SERVICES
from weft.cluster.real import HttpCluster, load

WEFT = str(Path(sys.executable).parent / "weft")
NAME = "bench"


def weft(*arguments: str) -> None:
    subprocess.run([WEFT, *arguments, "--name", NAME], check=True, stdout=subprocess.DEVNULL)


def service(number: int) -> dict[str, Any]:
    meta = {"name": f"s{number}", "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"ports": [{"port": 80}]}}


def endpoints(number: int, addresses: list[str]) -> dict[str, Any]:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"s{number}-1",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": f"s{number}"},
        },
        "addressType": "IPv4",
        "ports": [{"name": "", "port": 8080, "protocol": "TCP"}],
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses],
    }


class Kernel:
    """What one node's kernel tells of its tables, line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._seen: dict[str, float] = {}
        self._news = asyncio.Event()
        self._task = asyncio.ensure_future(self._read())

    @classmethod
    async def of(cls, node: str) -> "Kernel":
        command = ("nsenter", f"--net=/run/netns/weft-{NAME}-{node}", "nft", "monitor", "new", "elements")
        return cls(await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, limit=1 << 24))

    async def _read(self) -> None:
        assert self._process.stdout
        async for line in self._process.stdout:
            now = time.monotonic()
            for word in line.decode().replace(",", " ").split():
                if word[0].isdigit() and word.count(".") == 3:
                    self._seen.setdefault(word, now)
            self._news.set()

    async def saw(self, address: str) -> float:
        """When an element with this address came."""
        while address not in self._seen:
            self._news.clear()
            await asyncio.wait_for(self._news.wait(), 60)
        return self._seen[address]

    async def close(self) -> None:
        self._process.terminate()
        await self._process.wait()
        await self._task


async def measure(services: int, changes: int, nodes: list[str]) -> dict[str, float]:
    kernels = [await Kernel.of(node) for node in nodes]
    await asyncio.sleep(0.3)
    async with HttpCluster(load(f"/var/lib/weft/{NAME}/kubeconfig")) as cluster:
        begun = time.monotonic()
        limit = asyncio.Semaphore(16)
        addresses: list[str] = []

        async def create(number: int) -> None:
            async with limit:
                made = await cluster.create(SERVICES, service(number))
                addresses.append(made["spec"]["clusterIP"])
                fixed = [f"10.9.{number // 250}.{number % 250 + 1}", "10.8.0.1", "10.8.0.2"]
                await cluster.create(ENDPOINT_SLICES, endpoints(number, fixed))

        await asyncio.gather(*(create(number) for number in range(services)))
        created = time.monotonic()
        for kernel in kernels:
            await asyncio.gather(*(kernel.saw(address) for address in addresses))
        programmed = max([await kernel.saw(address) for kernel in kernels for address in addresses])
        latencies = []
        for change in range(changes):
            address = f"10.7.{change // 250}.{change % 250 + 1}"
            patch = {"endpoints": endpoints(0, [address, "10.8.0.1", "10.8.0.2"])["endpoints"]}
            started = time.monotonic()
            await cluster.patch(ENDPOINT_SLICES, "s0-1", patch, "default")
            latencies.append(max([await kernel.saw(address) for kernel in kernels]) - started)
            await asyncio.sleep(0.02)
    for kernel in kernels:
        await kernel.close()
    return {
        f"{services} Services created, s": created - begun,
        "last object to last kernel, s": max(0.0, programmed - created),
        "one endpoint to all kernels p50, s": statistics.median(latencies),
        "one endpoint to all kernels p99, s": sorted(latencies)[int(len(latencies) * 0.99)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--changes", type=int, default=50)
    parser.add_argument("--json", type=Path, default=Path(__file__).parent / "results" / "lab_services.json")
    args = parser.parse_args()
    weft("down")
    weft("up", "--nodes", str(args.nodes))
    try:
        nodes = [f"node{number}" for number in range(1, args.nodes + 1)]
        results = asyncio.run(measure(args.services, args.changes, nodes))
    finally:
        weft("down")
    for name, value in results.items():
        print(f"{name:<40} {value:>8.3f}")
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps({"at": datetime.now().astimezone().isoformat(), "weft": results}, indent=1))


if __name__ == "__main__":
    main()
