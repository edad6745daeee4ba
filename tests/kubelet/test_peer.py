"""The node agent against the real kube-apiserver: registration, lease, status by strategic merge patch, deletion."""

import asyncio
import dataclasses
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.peers import kube_apiserver

from weft.cluster.errors import NotFound
from weft.cluster.objects.resource import CORE_EVENTS, LEASES, NODES, PODS
from weft.cluster.real import HttpCluster, load
from weft.kubelet.run import Kubelet

from .harness import condition, container, pod, settings_of, state
from .runtime import Node

pytestmark = [pytest.mark.root, pytest.mark.peer]


async def until(read: Callable[[], Awaitable[Any]], timeout: float = 30) -> Any:
    async with asyncio.timeout(timeout):
        while True:
            if found := await read():
                return found
            await asyncio.sleep(0.05)


async def test_the_real_api_server_takes_what_the_agent_tells(runtime_node: Node) -> None:
    scratch = Path(tempfile.mkdtemp(dir=runtime_node.dir))
    with kube_apiserver("--disable-admission-plugins=ServiceAccount") as kubeconfig:
        async with HttpCluster(load(kubeconfig)) as cluster:
            config = dataclasses.replace(settings_of(runtime_node, scratch), kubeconfig=str(kubeconfig))
            kubelet = Kubelet(config, cluster)
            task = asyncio.create_task(kubelet.run())
            try:
                await walk(cluster)
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                await kubelet.close()


async def walk(cluster: HttpCluster) -> None:
    async def ready_node() -> Any:
        try:
            found = await cluster.get(NODES, "n1", as_=dict)
        except NotFound:
            return None
        return found if condition(found, "Ready") == "True" else None

    node = await until(ready_node)
    assert node["status"]["nodeInfo"]["kubeletVersion"].startswith("v1.")
    lease = await until(lambda: listed(cluster, LEASES, "kube-node-lease"))
    assert lease[0]["spec"]["holderIdentity"] == "n1"

    gate = [{"conditionType": "example.com/gate"}]
    await cluster.create(PODS, made("web", container(), readinessGates=gate))
    running = await until(lambda: of(cluster, "web", lambda o: condition(o, "ContainersReady") == "True"))
    assert condition(running, "Ready") == "False" and running["status"]["podIP"]
    await cluster.patch(
        PODS, "web", {"status": {"conditions": [{"type": "example.com/gate", "status": "True"}]}},
        "default", type="strategic", subresource="status",
    )  # fmt: skip
    found = await until(lambda: of(cluster, "web", lambda o: condition(o, "Ready") == "True"))
    by_type = {c["type"]: c for c in found["status"]["conditions"]}
    assert "reason" not in by_type["Ready"] and "message" not in by_type["Ready"]
    assert by_type["example.com/gate"]["status"] == "True" and state(found)["ready"]
    assert found["status"]["observedGeneration"] == 1 and found["status"]["qosClass"] == "BestEffort"
    reasons = [event["reason"] for event in await listed(cluster, CORE_EVENTS, "default")]
    assert {"Created", "Started"} <= set(reasons)
    await cluster.delete(PODS, "web", "default")

    async def gone() -> bool:
        return not await listed(cluster, PODS, "default")

    await until(gone)


def made(name: str, *containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    obj = pod(name, *containers, **spec)
    del obj["metadata"]["uid"], obj["metadata"]["generation"], obj["status"]
    return {"apiVersion": "v1", "kind": "Pod", **obj}


async def of(cluster: HttpCluster, name: str, check: Callable[[dict[str, Any]], bool]) -> dict[str, Any] | None:
    found = await cluster.get(PODS, name, "default", as_=dict)
    return found if check(found) else None


async def listed(cluster: HttpCluster, resource: Any, namespace: str) -> tuple[dict[str, Any], ...]:
    return (await cluster.list(resource, namespace, as_=dict)).items
