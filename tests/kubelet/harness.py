"""A whole node agent in the test's process: a fake API server on one side, a real containerd on the other."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from weft.cluster.errors import NotFound
from weft.cluster.fake import FakeCluster
from weft.cluster.objects.resource import CORE_EVENTS, PODS
from weft.kubelet.config import Config
from weft.kubelet.run import Kubelet

from .runtime import BUSYBOX, Node

Object = dict[str, Any]


def container(name: str = "main", *command: str, **fields: Any) -> Object:
    return {
        "name": name,
        "image": BUSYBOX,
        "imagePullPolicy": "IfNotPresent",
        "command": list(command) or ["sleep", "1000"],
        **fields,
    }


def pod(name: str, *containers: Object, **spec: Any) -> Object:
    return {
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": str(uuid.uuid4()),
            "generation": 1,
            "labels": {"app": name},
        },
        "spec": {
            "nodeName": "n1",
            "terminationGracePeriodSeconds": 1,
            "containers": list(containers) or [container()],
            **spec,
        },
        "status": {"phase": "Pending"},
    }


def condition(obj: Object, kind: str) -> str:
    found = obj["status"].get("conditions") or []
    return next((c["status"] for c in found if c["type"] == kind), "")


def is_ready(obj: Object) -> bool:
    return condition(obj, "Ready") == "True"


def state(obj: Object, name: str = "main", kind: str = "containerStatuses") -> Object:
    return next((s for s in obj["status"].get(kind) or [] if s["name"] == name), {})


async def eventually(check: Callable[[], Awaitable[bool]], timeout: float = 20) -> None:
    async with asyncio.timeout(timeout):
        while True:
            if await check():
                return
            await asyncio.sleep(0.01)


@dataclass
class Harness:
    node: Node
    cluster: FakeCluster
    config: Config
    kubelet: Kubelet
    task: "asyncio.Task[None]"

    async def get(self, name: str) -> Object | None:
        try:
            return await self.cluster.get(PODS, name, "default", as_=dict)
        except NotFound:
            return None

    async def run(self, obj: Object, until: Callable[[Object], Any] = is_ready, timeout: float = 20) -> Object:
        """Creates the pod, as if it had been bound to this node, and waits."""
        self.cluster.put(PODS, obj)
        return await self.wait(obj["metadata"]["name"], until, timeout)

    async def wait(self, name: str, until: Callable[[Object], Any], timeout: float = 20) -> Object:
        found: Object | None = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while True:
                    found = await self.get(name)
                    if found is not None and until(found):
                        return found
                    await asyncio.sleep(0.01)
        raise AssertionError(f"pod {name} did not get there: {(found or {}).get('status')} {await self.events(name)}")

    async def delete(self, name: str, grace: int = 1) -> None:
        """As the API server does it: marks the pod, and waits for the node agent to let it go."""
        obj = await self.get(name)
        assert obj is not None
        obj["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": grace}
        self.cluster.put(PODS, obj)

        async def gone() -> bool:
            return await self.get(name) is None

        await eventually(gone)

    async def events(self, name: str) -> list[str]:
        listed = await self.cluster.list(CORE_EVENTS, as_=dict)
        return [f"{e['reason']}: {e['message']}" for e in listed.items if e["involvedObject"]["name"] == name]

    async def output(self, name: str, *command: str, container_name: str = "main") -> str:
        """What a command in the container prints."""
        worker = self.kubelet.agent.find("default", name)
        assert worker is not None
        record = worker.record.latest(container_name)
        assert record is not None
        done = await self.kubelet.node.runtime.exec_sync(record.id, command, 10)
        assert done.exit_code == 0, done
        return done.stdout.decode()

    async def restart(self) -> None:
        """Kills the agent without a farewell, and starts another one."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.kubelet.close()
        self.kubelet = Kubelet(self.config, self.cluster)
        self.task = asyncio.create_task(self.kubelet.run())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.kubelet.server.port}"


def settings_of(node: Node, scratch: Path) -> Config:
    return Config(
        kubeconfig="",
        node_name="n1",
        node_addresses=(node.address,),
        runtime_endpoint=node.endpoint,
        root_dir=scratch / "kubelet",
        pod_log_dir=scratch / "pods",
        cluster_dns=("10.96.0.10",),
        cgroup_root=node.cgroup_root,
        address="127.0.0.1",
        port=0,
        healthz_port=0,
        sync_seconds=0.5,
    )


@contextlib.asynccontextmanager
async def agent(node: Node, scratch: Path, **settings: Any) -> AsyncIterator[Harness]:
    cluster = FakeCluster()
    config = replace(settings_of(node, scratch), **settings)
    kubelet = Kubelet(config, cluster)
    harness = Harness(node, cluster, config, kubelet, asyncio.create_task(kubelet.run()))
    try:

        async def up() -> bool:
            return harness.kubelet.agent.synced and bool(harness.kubelet.server.port)

        await eventually(up)
        yield harness
        listed = await cluster.list(PODS, as_=dict)
        await asyncio.gather(*(harness.delete(obj["metadata"]["name"]) for obj in listed.items))
    finally:
        harness.task.cancel()
        await asyncio.gather(harness.task, return_exceptions=True)
        await harness.kubelet.close()
