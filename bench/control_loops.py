"""Pods scheduled a second, and how long endpoints take: Weft's scheduler and controllers against Kubernetes' own.

    .venv/bin/python bench/control_loops.py [--pods 600] [--services 300] [--rounds 2] [--server peer|weft]

Both sides drive the same API server (kube-apiserver with etcd, unless --server weft: then only Weft's own side runs),
one after the other in the same run, on a fresh store each. Prints a table and writes bench/results/control_loops.json.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.peers import peer, process
from tests.servers import Server, real_apiserver, weft_apiserver

from weft.cluster.objects.resource import (
    ENDPOINT_SLICES,
    NAMESPACES,
    NODES,
    PODS,
    SERVICE_ACCOUNTS,
    SERVICES,
)
from weft.cluster.real import HttpCluster, load

RESULTS = Path(__file__).parent / "results"
NODES_COUNT = 100
CHANGES = 30

Commands = dict[str, Callable[[Server], list[str]]]
SIDES: dict[str, Commands] = {
    "weft": {
        "scheduler": lambda s: [
            sys.executable, "-m", "weft.scheduler", f"--kubeconfig={s.identities['scheduler']}", "--secure-port=0",
        ],
        "controllers": lambda s: [
            sys.executable, "-m", "weft.controllers", f"--kubeconfig={s.identities['controllers']}",
            "--secure-port=0", "--controllers=endpointslice-controller,endpoints-controller",
        ],
    },
    "kubernetes": {
        "scheduler": lambda s: [
            str(peer("kube-scheduler")), f"--kubeconfig={s.admin}", "--leader-elect=false", "--secure-port=0",
        ],
        "controllers": lambda s: [
            str(peer("kube-controller-manager")), f"--kubeconfig={s.admin}", "--leader-elect=false",
            "--secure-port=0", "--controllers=endpointslice-controller,endpoints-controller",
            "--kube-api-qps=2000", "--kube-api-burst=4000", "--concurrent-endpoint-syncs=16",
            "--concurrent-service-endpoint-syncs=16",
        ],
    },
}  # fmt: skip


@contextmanager
def running(side: str, part: str, server: Server) -> Iterator[subprocess.Popen[bytes]]:
    with process(Path("/dev/null"), *SIDES[side][part](server)) as started:
        yield started


async def at_once(work: Iterable[Awaitable[Any]], width: int = 32) -> None:
    limit = asyncio.Semaphore(width)

    async def one(item: Awaitable[Any]) -> None:
        async with limit:
            await item

    await asyncio.gather(*(one(item) for item in work))


async def prepare(cluster: HttpCluster) -> None:
    await cluster.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    await cluster.create(SERVICE_ACCOUNTS, account, "shop")
    await at_once(make_node(cluster, f"node{number}") for number in range(NODES_COUNT))


async def make_node(cluster: HttpCluster, name: str) -> None:
    await cluster.create(NODES, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
    status = {
        "allocatable": {"cpu": "64", "memory": "256Gi", "pods": "1000"},
        "conditions": [{"type": "Ready", "status": "True"}],
    }
    await cluster.patch(NODES, name, {"status": status}, subresource="status")
    await cluster.patch(NODES, name, {"spec": {"taints": None}})


def pod(name: str, app: str, node: str = "") -> dict[str, Any]:
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": app, "uid": app, "controller": True}
    container = {"name": "c", "image": "x", "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}}}
    meta = {"name": name, "labels": {"app": app}, "ownerReferences": [owner]}
    spec = {"containers": [container], **({"nodeName": node} if node else {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


async def schedule(side: str, server: Server, count: int) -> float:
    """Pods a second, from the scheduler's start with all of them waiting until the last one is bound."""
    async with HttpCluster(load(server.admin)) as cluster:
        with running(side, "scheduler", server):
            # Warm: it runs, has its watches, and has scheduled something.
            await cluster.create(PODS, pod("warm", "warm"), "shop")
            while not await bound(cluster, 1):
                await asyncio.sleep(0.05)
            started = time.perf_counter()
            await at_once(cluster.create(PODS, pod(f"p{number}", "web"), "shop") for number in range(count))
            while not await bound(cluster, count + 1):
                await asyncio.sleep(0.05)
            took = time.perf_counter() - started
        await at_once(cluster.delete(PODS, f"p{number}", "shop", grace_period=0) for number in range(count))
        await cluster.delete(PODS, "warm", "shop", grace_period=0)
    return count / took


async def bound(cluster: HttpCluster, count: int) -> bool:
    waiting = await cluster.list(PODS, "shop", as_=dict, field_selector="spec.nodeName=")
    if waiting.items:
        return False
    return len((await cluster.list(PODS, "shop", as_=dict)).items) >= count


async def endpoints(side: str, server: Server, count: int) -> tuple[float, float]:
    """(seconds from the first of `count` Services until the last slice is full, median ms of one pod's change)"""
    async with HttpCluster(load(server.admin)) as cluster:
        await at_once(make_ready_pod(cluster, number, copy) for number in range(count) for copy in range(3))
        with running(side, "controllers", server):
            await make_service(cluster, "warm", "a0")
            while not await filled(cluster, 3):
                await asyncio.sleep(0.05)
            started = time.perf_counter()
            await at_once(make_service(cluster, f"s{number}", f"a{number}") for number in range(count))
            while not await filled(cluster, 3 * count + 3):
                await asyncio.sleep(0.05)
            took = time.perf_counter() - started
            changes = [await change(cluster, number) for number in range(1, min(CHANGES, count))]
    return took, statistics.median(changes) * 1000


async def make_service(cluster: HttpCluster, name: str, app: str) -> None:
    spec = {"selector": {"app": app}, "ports": [{"port": 80}]}
    await cluster.create(
        SERVICES, {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}, "shop"
    )


async def make_ready_pod(cluster: HttpCluster, number: int, copy: int) -> None:
    name = f"a{number}-{copy}"
    await cluster.create(PODS, pod(name, f"a{number}", f"node{(number + copy) % NODES_COUNT}"), "shop")
    address = f"10.{number // 200}.{copy + 1}.{number % 200 + 1}"
    ready = {"type": "Ready", "status": "True"}
    status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "conditions": [ready]}
    await cluster.patch(PODS, name, {"status": status}, "shop", subresource="status")


async def filled(cluster: HttpCluster, count: int) -> bool:
    slices = (await cluster.list(ENDPOINT_SLICES, "shop", as_=dict)).items
    return sum(len(each.get("endpoints") or []) for each in slices) >= count


async def change(cluster: HttpCluster, number: int) -> float:
    """Seconds from a pod's ceasing to be ready until its slice says so."""
    selector = f"kubernetes.io/service-name=s{number}"
    version = (await cluster.list(ENDPOINT_SLICES, "shop", as_=dict, label_selector=selector)).resource_version
    events = cluster.watch(ENDPOINT_SLICES, "shop", as_=dict, label_selector=selector, resource_version=version)
    unready = {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}
    seen = asyncio.ensure_future(anext(events))  # type: ignore[arg-type]
    await asyncio.sleep(0.05)
    started = time.perf_counter()
    await cluster.patch(PODS, f"a{number}-0", unready, "shop", subresource="status")
    await seen
    return time.perf_counter() - started


async def measure(side: str, server: Server, args: argparse.Namespace) -> dict[str, float]:
    async with HttpCluster(load(server.admin)) as cluster:
        await prepare(cluster)
    rates = [await schedule(side, server, args.pods) for _ in range(args.rounds)]
    took, latency = await endpoints(side, server, args.services)
    return {
        "pods scheduled a second": round(max(rates), 1),
        f"{args.services} Services with 3 endpoints, seconds": round(took, 2),
        "one endpoint's change, median ms": round(latency, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pods", type=int, default=600)
    parser.add_argument("--services", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--server", choices=("peer", "weft"), default="peer")
    args = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    for side in SIDES if args.server == "peer" else ("weft",):
        with ExitStack() as stack:
            flags = ("--disable-admission-plugins=ServiceAccount",)
            server = stack.enter_context(real_apiserver(*flags) if args.server == "peer" else weft_apiserver())
            found[side] = asyncio.run(measure(side, server, args))
    for figure in found["weft"]:
        print(f"{figure:48}" + "".join(f"{side:>12} {values[figure]:10.1f}" for side, values in found.items()))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "control_loops.json").write_text(json.dumps({"server": args.server, **found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
