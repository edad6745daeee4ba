"""The workload controllers against Weft's API server and the real one: what `kubectl` users rely on."""

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

from tests.controllers.conftest import clients, context_for, eventually, managed
from tests.servers import Server, kubectl_program

from weft.cluster.objects.resource import DEPLOYMENTS, PODS, REPLICA_SETS
from weft.cluster.real import HttpCluster

LABELS = {"app": "web"}


def deployment(name: str, namespace: str, count: int, image: str = "web:1") -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": count,
            "selector": {"matchLabels": LABELS},
            "template": {
                "metadata": {"labels": LABELS},
                "spec": {"containers": [{"name": "web", "image": image}], "terminationGracePeriodSeconds": 0},
            },
        },
    }


async def kubectl(kubeconfig: Path, *args: str) -> str:
    command = [kubectl_program(), f"--kubeconfig={kubeconfig}", *args]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def play_kubelet(cluster: HttpCluster, namespace: str) -> None:
    """Makes every pod Running and Ready as soon as it is seen."""
    while True:
        for pod in (await cluster.list(PODS, namespace, as_=dict)).items:
            if not pod["status"].get("conditions"):
                status = {
                    "phase": "Running",
                    "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
                }
                await cluster.patch(PODS, pod["metadata"]["name"], {"status": status}, namespace, subresource="status")
        await asyncio.sleep(0.1)


async def test_rollout_status_undo_scale_and_history(server: Server) -> None:
    async with clients(server) as (cluster, own):
        await kubectl(server.admin, "create", "namespace", "rolls")
        context = context_for(own)
        async with managed(context, "deployment-controller", "replicaset-controller", "serviceaccount-controller"):
            kubelet = asyncio.create_task(play_kubelet(cluster, "rolls"))
            await asyncio.sleep(0.3)
            await cluster.create(DEPLOYMENTS, deployment("web", "rolls", 3), "rolls")
            status = ["rollout", "status", "deployment/web", "-n", "rolls", "--timeout=30s"]
            assert "successfully rolled out" in await kubectl(server.admin, *status)
            await kubectl(server.admin, "set", "image", "deployment/web", "web=web:2", "-n", "rolls")
            assert "successfully rolled out" in await kubectl(server.admin, *status)
            history = await kubectl(server.admin, "rollout", "history", "deployment/web", "-n", "rolls")
            assert [line.split()[0] for line in history.splitlines()[2:] if line] == ["1", "2"]
            await kubectl(server.admin, "rollout", "undo", "deployment/web", "-n", "rolls")
            assert "successfully rolled out" in await kubectl(server.admin, *status)
            found = await cluster.get(DEPLOYMENTS, "web", "rolls", as_=dict)
            assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "web:1"
            assert found["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"
            await kubectl(server.admin, "scale", "deployment/web", "--replicas=5", "-n", "rolls")
            assert "successfully rolled out" in await kubectl(server.admin, *status)
            pods = (await cluster.list(PODS, "rolls", as_=dict)).items
            assert len(pods) == 5
            kubelet.cancel()
        events = json.loads(await kubectl(server.admin, "get", "events", "-n", "rolls", "-o", "json"))["items"]
        scaled = [e["message"] for e in events if e["reason"] == "ScalingReplicaSet"]
        assert any(text.startswith("Scaled up replica set web-") and text.endswith("from 0 to 3") for text in scaled)
        assert len([e for e in events if e["reason"] == "SuccessfulCreate"]) >= 8


async def test_a_killed_pod_is_replaced_and_no_pod_is_made_twice(server: Server) -> None:
    async with clients(server) as (cluster, own):
        await kubectl(server.admin, "create", "namespace", "heals")
        context = context_for(own)
        async with managed(context, "deployment-controller", "replicaset-controller", "serviceaccount-controller"):
            await asyncio.sleep(0.3)
            await cluster.create(DEPLOYMENTS, deployment("web", "heals", 20), "heals")

            async def twenty() -> bool:
                sets = (await cluster.list(REPLICA_SETS, "heals", as_=dict)).items
                return bool(sets) and sets[0].get("status", {}).get("replicas") == 20

            await eventually(twenty)
            pods = (await cluster.list(PODS, "heals", as_=dict)).items
            assert len(pods) == 20
            gone = pods[0]["metadata"]["name"]
            await cluster.delete(PODS, gone, "heals", grace_period=0)

            async def replaced() -> bool:
                names = [p["metadata"]["name"] for p in (await cluster.list(PODS, "heals", as_=dict)).items]
                return len(names) == 20 and gone not in names

            await eventually(replaced)
            await asyncio.sleep(0.3)
            assert await replaced()


async def test_pause_resume_restart_and_recreate(server: Server) -> None:
    async with clients(server) as (cluster, own):
        await kubectl(server.admin, "create", "namespace", "pauses")
        context = context_for(own)
        async with managed(context, "deployment-controller", "replicaset-controller", "serviceaccount-controller"):
            kubelet = asyncio.create_task(play_kubelet(cluster, "pauses"))
            status = ["rollout", "status", "deployment/web", "-n", "pauses", "--timeout=30s"]
            await asyncio.sleep(0.5)
            await cluster.create(DEPLOYMENTS, deployment("web", "pauses", 2), "pauses")
            await kubectl(server.admin, *status)
            await kubectl(server.admin, "rollout", "pause", "deployment/web", "-n", "pauses")
            await kubectl(server.admin, "set", "image", "deployment/web", "web=web:2", "-n", "pauses")
            await kubectl(server.admin, "scale", "deployment/web", "--replicas=3", "-n", "pauses")

            async def scaled_but_not_rolled() -> bool:
                pods = (await cluster.list(PODS, "pauses", as_=dict)).items
                return [pod["spec"]["containers"][0]["image"] for pod in pods] == ["web:1"] * 3

            await eventually(scaled_but_not_rolled)
            await kubectl(server.admin, "rollout", "resume", "deployment/web", "-n", "pauses")
            assert "successfully rolled out" in await kubectl(server.admin, *status)
            await kubectl(server.admin, "rollout", "restart", "deployment/web", "-n", "pauses")
            assert "successfully rolled out" in await kubectl(server.admin, *status)
            found = await cluster.get(DEPLOYMENTS, "web", "pauses", as_=dict)
            assert found["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"
            recreate = {"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}}}
            await cluster.patch(DEPLOYMENTS, "web", recreate, "pauses")
            await kubectl(server.admin, "set", "image", "deployment/web", "web=web:3", "-n", "pauses")
            assert "successfully rolled out" in await kubectl(server.admin, *status)
            sets = (await cluster.list(REPLICA_SETS, "pauses", as_=dict)).items
            assert sorted(each["spec"]["replicas"] for each in sets) == [0, 0, 0, 3]
            kubelet.cancel()
