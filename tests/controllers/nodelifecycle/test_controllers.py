"""Silence of nodes, and of our own line to them."""

import asyncio
from typing import Any

from tests.controllers.conftest import eventually

from weft.cluster.errors import Unavailable
from weft.cluster.fake import FakeCluster
from weft.cluster.objects.resource import CORE_EVENTS, LEASES, NODES, PODS
from weft.cluster.port import Object
from weft.controllers.catalog import CONTROLLERS
from weft.controllers.context import Context


class Line(FakeCluster):
    """A cluster that cannot be reached for a while."""

    cut = False

    async def get(self, resource: Any, name: str, namespace: str = "", *, as_: type) -> Any:
        if self.cut:
            raise Unavailable(0, "", "no line")
        return await super().get(resource, name, namespace, as_=as_)


def ready_node(name: str) -> Object:
    condition = {"type": "Ready", "status": "True", "lastHeartbeatTime": "x", "lastTransitionTime": "x"}
    return {"metadata": {"name": name}, "status": {"conditions": [condition]}}


def lease(name: str, renewed: str) -> Object:
    return {"metadata": {"name": name, "namespace": "kube-node-lease"}, "spec": {"renewTime": renewed}}


def pod(name: str, node: str) -> Object:
    condition = {"type": "Ready", "status": "True"}
    meta = {"name": name, "namespace": "shop"}
    return {"metadata": meta, "spec": {"nodeName": node}, "status": {"phase": "Running", "conditions": [condition]}}


class Times:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


async def readiness(cluster: FakeCluster, name: str) -> str:
    node = await FakeCluster.get(cluster, NODES, name, as_=dict)
    return str(node["status"]["conditions"][0]["status"])


async def test_a_silent_node_loses_its_pods_readiness_but_not_while_we_hear_nothing_ourselves() -> None:
    cluster, clock = Line(), Times()
    for name in ("n1", "n2"):
        cluster.put(NODES, ready_node(name))
        cluster.put(LEASES, lease(name, "t0"))
    cluster.put(PODS, pod("web", "n1"))
    context = Context(cluster, clock=clock)
    controller: Any = CONTROLLERS["node-lifecycle-controller"](context)
    task = asyncio.create_task(controller.run())

    async def known() -> bool:
        return set(controller._was_ready) == {"n1", "n2"} and all(controller._was_ready.values())

    await eventually(known)
    cluster.cut = True
    clock.now += 100
    for name in ("n1", "n2"):
        controller._queue.add(name)
    await asyncio.sleep(0.1)
    cluster.cut = False

    async def sees_again() -> bool:
        return not controller._blind

    await eventually(sees_again)
    assert [await readiness(cluster, name) for name in ("n1", "n2")] == ["True", "True"]
    clock.now += 30
    cluster.put(LEASES, lease("n2", "t1"))
    controller._queue.add("n2")
    await asyncio.sleep(0.05)
    clock.now += 15
    for name in ("n1", "n2"):
        controller._queue.add(name)

    async def told() -> bool:
        found = await FakeCluster.get(cluster, PODS, "web", "shop", as_=dict)
        return str(found["status"]["conditions"][0]["status"]) == "False"

    await eventually(told)
    assert [await readiness(cluster, name) for name in ("n1", "n2")] == ["Unknown", "True"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await context.close()
    reasons = [event["reason"] for event in (await cluster.list(CORE_EVENTS, as_=dict)).items]
    assert reasons.count("NodeNotReady") == 2, "one about the node, one about its pod"


async def test_pods_leave_a_tainted_node_and_are_told_why() -> None:
    cluster = FakeCluster()
    node = ready_node("n1")
    node["spec"] = {"taints": [{"key": "out", "effect": "NoExecute"}]}
    cluster.put(NODES, node)
    cluster.put(PODS, pod("web", "n1"))
    tough = pod("tough", "n1")
    tough["spec"]["tolerations"] = [{"operator": "Exists"}]
    cluster.put(PODS, tough)
    context = Context(cluster)
    task = asyncio.create_task(CONTROLLERS["taint-eviction-controller"](context).run())

    async def left() -> bool:
        return [each["metadata"]["name"] for each in (await cluster.list(PODS, as_=dict)).items] == ["tough"]

    await eventually(left)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await context.close()
    (event,) = (await cluster.list(CORE_EVENTS, as_=dict)).items
    assert (event["reason"], event["message"]) == ("TaintManagerEviction", "Marking for deletion Pod shop/web")
