import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.scheduler.build import raw_node, raw_pod
from tests.servers import Server, real_apiserver, weft_apiserver

from weft.cluster.fake import FakeCluster
from weft.cluster.objects.resource import CORE_EVENTS, NAMESPACES, NODES, PODS, SERVICE_ACCOUNTS
from weft.cluster.port import Cluster
from weft.cluster.real import HttpCluster, load
from weft.scheduler.scheduler import Scheduler


@asynccontextmanager
async def scheduling(cluster: Cluster) -> AsyncIterator[Scheduler]:
    made = Scheduler(cluster, clock=time.monotonic, wall_clock=time.time, seed=1)
    task = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(cluster: Cluster, holds: Callable[[list[dict[str, Any]]], bool], timeout: float = 10) -> list[Any]:
    async with asyncio.timeout(timeout):
        while True:
            pods = list((await cluster.list(PODS, "shop", as_=dict)).items)
            if holds(pods):
                return pods
            await asyncio.sleep(0.02)


def bound(pods: list[dict[str, Any]]) -> int:
    return sum(bool(pod["spec"].get("nodeName")) for pod in pods)


async def test_pods_are_bound_and_events_tell() -> None:
    cluster = FakeCluster(*((NODES, raw_node(f"n{i}")) for i in range(3)))
    async with scheduling(cluster):
        for number in range(3):
            cluster.put(PODS, raw_pod(f"web-{number}", owner="web"))
        pods = await until(cluster, lambda found: bound(found) == 3)
        assert {pod["spec"]["nodeName"] for pod in pods} == {"n0", "n1", "n2"}
    events = (await cluster.list(CORE_EVENTS, "shop", as_=dict)).items
    assert {event["reason"] for event in events} == {"Scheduled"}
    assert events[0]["message"].startswith("Successfully assigned shop/web-")


async def test_a_pod_that_fits_nowhere_says_why_and_goes_when_there_is_room() -> None:
    cluster = FakeCluster((NODES, raw_node("small", memory="1Gi")))
    async with scheduling(cluster):
        cluster.put(PODS, raw_pod("big", requests={"memory": "2Gi"}))
        (told,) = await until(cluster, lambda found: "status" in found[0])
        (condition,) = told["status"]["conditions"]
        assert (condition["type"], condition["status"], condition["reason"]) == (
            "PodScheduled", "False", "Unschedulable",
        )  # fmt: skip
        assert condition["message"].startswith("0/1 nodes are available: 1 Insufficient memory. preemption: 0/1")
        cluster.put(NODES, raw_node("large", memory="4Gi"))
        (pod,) = await until(cluster, lambda found: bound(found) == 1)
        assert pod["spec"]["nodeName"] == "large"


async def test_pods_of_other_schedulers_and_gated_ones_are_left_alone() -> None:
    cluster = FakeCluster((NODES, raw_node("n")))
    cluster.put(PODS, raw_pod("theirs", schedulerName="other"))
    cluster.put(PODS, raw_pod("gated", schedulingGates=[{"name": "x"}]))
    cluster.put(PODS, raw_pod("mine"))
    async with scheduling(cluster):
        await until(cluster, lambda found: bound(found) == 1)
        await asyncio.sleep(0.1)
        assert bound(list((await cluster.list(PODS, "shop", as_=dict)).items)) == 1


async def test_a_node_is_never_filled_beyond_its_size() -> None:
    cluster = FakeCluster((NODES, raw_node("n", cpu="1")))
    for number in range(20):
        cluster.put(PODS, raw_pod(f"p{number}", requests={"cpu": "100m"}))
    async with scheduling(cluster):
        await until(cluster, lambda found: bound(found) == 10)
        await asyncio.sleep(0.2)
        assert bound(list((await cluster.list(PODS, "shop", as_=dict)).items)) == 10


@pytest.fixture(params=["weft", pytest.param("kube-apiserver", marks=pytest.mark.peer)])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    if request.param == "weft":
        with weft_apiserver() as running:
            yield running
    else:
        with real_apiserver("--disable-admission-plugins=ServiceAccount") as running:
            yield running


async def test_a_hundred_nodes_are_filled_evenly(server: Server) -> None:
    count = 600
    async with HttpCluster(load(server.admin)) as admin, HttpCluster(load(server.identities["scheduler"])) as own:
        await fill(admin, count)
        started = time.perf_counter()
        async with scheduling(own):
            found = await until(admin, lambda found: bound(found) == count, timeout=60)
            took = time.perf_counter() - started
        print(f"{count} pods on 100 nodes in {took:.2f} s: {count / took:.0f} pods/s")
        nodes = [pod["spec"]["nodeName"] for pod in found]
        assert max(nodes.count(name) for name in set(nodes)) == 6


async def fill(admin: HttpCluster, count: int) -> None:
    """A hundred nodes, and `count` pods that wait."""
    await admin.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    await admin.create(SERVICE_ACCOUNTS, account, "shop")
    for number in range(100):
        made = raw_node(f"n{number}")
        await admin.create(NODES, {"apiVersion": "v1", "kind": "Node", **made})
        await admin.patch(NODES, f"n{number}", {"status": made["status"]}, subresource="status")
        # kube-apiserver's admission taints every new node as not ready.
        await admin.patch(NODES, f"n{number}", {"spec": {"taints": None}})
    pods = [raw_pod(f"p{number}", owner="web", requests={"cpu": "50m"}) for number in range(count)]
    for pod in pods:
        pod["spec"]["containers"][0]["image"] = "web"
        del pod["metadata"]["uid"]
    for start in range(0, count, 50):
        batch = pods[start : start + 50]
        await asyncio.gather(*(admin.create(PODS, {"apiVersion": "v1", "kind": "Pod", **p}, "shop") for p in batch))
