"""kill -9 at any instant: the next process goes on where the last one stopped, and makes nothing twice."""

import asyncio
import sys
from pathlib import Path
from typing import Any

from tests.controllers.conftest import eventually
from tests.peers import process
from tests.servers import Server

from weft.cluster.objects.resource import NAMESPACES, PODS, REPLICA_SETS, SERVICE_ACCOUNTS
from weft.cluster.real import HttpCluster, load

WANTED = 80


def replica_set() -> dict[str, Any]:
    labels = {"app": "many"}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": "many"},
        "spec": {
            "replicas": WANTED,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "x"}]}},
        },
    }


async def test_a_replica_set_is_completed_after_a_kill(server: Server, tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "weft.controllers", f"--kubeconfig={server.identities['controllers']}",
        "--secure-port=0", "--controllers=replicaset-controller,serviceaccount-controller",
    ]  # fmt: skip
    async with HttpCluster(load(server.admin)) as cluster:
        await cluster.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "killed"}})

        async def pods() -> int:
            return len((await cluster.list(PODS, "killed", as_=dict)).items)

        async def has_account() -> bool:
            return bool((await cluster.list(SERVICE_ACCOUNTS, "killed", as_=dict)).items)

        async def some() -> bool:
            return await pods() > 3

        async def all_of_them() -> bool:
            return await pods() >= WANTED

        with process(tmp_path / "first.log", *command) as first:
            await eventually(has_account, 20)
            await cluster.create(REPLICA_SETS, replica_set(), "killed")
            await eventually(some, 20)
            first.kill()
            first.wait()
        with process(tmp_path / "second.log", *command):
            await eventually(all_of_them, 20)

            async def told() -> bool:
                found = await cluster.get(REPLICA_SETS, "many", "killed", as_=dict)
                return bool((found.get("status") or {}).get("replicas") == WANTED)

            await eventually(told, 20)
            assert await pods() == WANTED
        await cluster.delete(NAMESPACES, "killed")
    await asyncio.sleep(0.05)
