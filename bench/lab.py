"""How long a lab takes to come and go, what it holds in memory, and how quickly pods start.

    bench/lab.py [--nodes 3] [--pods 100] [--json FILE]

Prints a table and writes JSON. As root. The peer, where it was measured in the same run, is given by --peer-kubeconfig:
a real Kubernetes with the same images loaded (pods only; a lab's coming and going has no counterpart there).
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

from weft.cluster.objects.resource import PODS
from weft.cluster.real import HttpCluster, load

WEFT = str(Path(sys.executable).parent / "weft")
NAME = "bench"
PAUSE = "registry.k8s.io/pause:3.10.2"


def weft(*arguments: str) -> float:
    started = time.monotonic()
    subprocess.run([WEFT, *arguments, "--name", NAME], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - started


def pod(name: str) -> dict[str, Any]:
    container = {"name": "c", "image": PAUSE, "imagePullPolicy": "IfNotPresent"}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": spec}


async def start_pods(kubeconfig: str, prefix: str, count: int, *, at_once: bool) -> list[float]:
    """Seconds from creation (client's clock) to the watch event that says Ready, of each pod."""
    created: dict[str, float] = {}
    ready: dict[str, float] = {}
    async with HttpCluster(load(kubeconfig)) as cluster:
        listing = await cluster.list(PODS, "default", as_=dict[str, Any])

        async def watch() -> None:
            events = cluster.watch(PODS, "default", as_=dict[str, Any], resource_version=listing.resource_version)
            async for event in events:
                obj = event.object or {}
                conditions = obj.get("status", {}).get("conditions") or []
                if any(c["type"] == "Ready" and c["status"] == "True" for c in conditions):
                    ready.setdefault(obj["metadata"]["name"], time.monotonic())

        watching = asyncio.ensure_future(watch())
        names = [f"{prefix}-{number}" for number in range(count)]
        try:
            for name in names:
                created[name] = time.monotonic()
                await cluster.create(PODS, pod(name))
                while not at_once and name not in ready:
                    await asyncio.sleep(0.002)
            async with asyncio.timeout(120):
                while len(ready) < count:
                    await asyncio.sleep(0.01)
        finally:
            watching.cancel()
        for name in names:
            await cluster.delete(PODS, name, "default", grace_period=0)
        while any(
            p["metadata"]["name"].startswith(prefix)
            for p in (await cluster.list(PODS, "default", as_=dict[str, Any])).items
        ):
            await asyncio.sleep(0.1)
    return [ready[name] - created[name] for name in names]


def memory() -> dict[str, float]:
    """Megabytes (PSS) of everything but containerd and pods."""
    status = json.loads(subprocess.run([WEFT, "status", "--name", NAME, "-o", "json"], capture_output=True).stdout)
    sums: dict[str, float] = {}
    for component in status["components"]:
        if component["name"] != "containerd":
            sums[component["name"]] = sums.get(component["name"], 0) + component["memory"] / 1e6
    return sums


def measure_pods(kubeconfig: str, count: int) -> dict[str, float]:
    single = asyncio.run(start_pods(kubeconfig, "single", 12, at_once=False))[2:]
    many = asyncio.run(start_pods(kubeconfig, "many", count, at_once=True))
    return {"pod ready p50": statistics.median(single), f"{count} pods at once": max(many)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", default="3")
    parser.add_argument("--pods", type=int, default=100)
    parser.add_argument("--peer-kubeconfig", default="")
    parser.add_argument("--json", type=Path, default=Path(__file__).parent / "results" / "lab.json")
    args = parser.parse_args()
    weft("down")
    weft("up", "--nodes", args.nodes)  # builds the images, once
    weft("down")
    results: dict[str, float] = {"up": weft("up", "--nodes", args.nodes)}
    sizes = memory()
    results |= {f"memory {name} MB": value for name, value in sizes.items()}
    results["memory MB"] = sum(sizes.values())
    results |= measure_pods(f"/var/lib/weft/{NAME}/kubeconfig", args.pods)
    results["down"] = weft("down")
    peer = measure_pods(args.peer_kubeconfig, args.pods) if args.peer_kubeconfig else {}
    for name, value in results.items():
        ratio = f"{peer[name]:>10.3f} {value / peer[name]:>6.2f} x" if name in peer else ""
        print(f"{name:<28} {value:>10.3f} {ratio}")
    args.json.parent.mkdir(parents=True, exist_ok=True)
    document = {"at": datetime.now().astimezone().isoformat(), "weft": results, "peer": peer}
    args.json.write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
