import asyncio

from tests.controllers.conftest import eventually

from weft.cluster.fake import FakeCluster
from weft.cluster.objects.resource import NODES, PODS
from weft.cluster.port import Object
from weft.controllers.context import Context, Options
from weft.controllers.pod_garbage import PodGarbageCollector, missing_nodes, never_placed, surplus


def pod(name: str, phase: str = "Running", node: str = "n1", **meta: str) -> Object:
    return {
        "metadata": {"name": name, "namespace": "shop", **meta},
        "spec": {"nodeName": node},
        "status": {"phase": phase},
    }


def test_which_pods_nobody_will_remove() -> None:
    old = pod("old", "Succeeded", creationTimestamp="2026-01-01T00:00:00Z")
    new = pod("new", "Failed", creationTimestamp="2026-01-02T00:00:00Z")
    assert surplus([new, old, pod("runs")], 1) == [old]
    assert surplus([new, old], 0) == []
    stray = pod("stray", node="", deletionTimestamp="x")
    assert never_placed([stray, pod("bound", deletionTimestamp="x"), pod("waits", node="")]) == [stray]
    assert missing_nodes([pod("a"), pod("b", node="gone"), pod("c", node="")], {"n1": {}}) == {"gone"}


async def test_pods_of_a_lost_node_go_after_a_while() -> None:
    cluster = FakeCluster((NODES, {"metadata": {"name": "n1"}}), (PODS, pod("stays")), (PODS, pod("goes", node="gone")))
    now = [1000.0]
    context = Context(cluster, Options(), clock=lambda: now[0])
    collector = PodGarbageCollector(context)
    await context.synced(context.cache(PODS), context.cache(NODES))
    await collector._collect(now[0])
    assert len((await cluster.list(PODS, as_=dict)).items) == 2
    now[0] += 41
    await collector._collect(now[0])

    async def gone() -> bool:
        return [each["metadata"]["name"] for each in (await cluster.list(PODS, as_=dict)).items] == ["stays"]

    await eventually(gone)
    await context.close()
    await asyncio.sleep(0)
