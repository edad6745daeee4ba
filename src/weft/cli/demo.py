"""The small web application of `weft up --demo`, and what to try with it."""

import asyncio
from importlib.resources import files
from typing import Any

import yaml

from weft.cli.progress import Progress
from weft.cluster.errors import ApiError
from weft.cluster.objects.resource import DEPLOYMENTS, PODS
from weft.cluster.real import HttpCluster, load
from weft.lab import machine, system
from weft.lab.images.store import ImageStore
from weft.lab.layout import Layout
from weft.lab.machine import LabError


def run(layout: Layout, name: str) -> int:
    progress = Progress()
    known = system.image_definitions()
    with progress.step("demo images"):
        for image in ("nginx", "toolbox"):
            system.build_into(ImageStore(layout.images), image, known[image], progress.note)
    with progress.step("demo application"):
        asyncio.run(_apply(layout))
    config = machine.saved(layout)
    address = config.node_addresses("node1")[0] if config else ""
    option = "" if name == "weft" else f" --name {name}"
    print(
        f"""
three web pods, a Service in front of them, and a pod to ask from. Try:

  export KUBECONFIG=$(weft kubeconfig{option} --path)
  kubectl get pods -o wide                          three pods on three nodes
  kubectl exec client -- curl -s web                again and again: each pod answers in its turn
  curl http://{address}:30080                      the same from outside, at any node
  kubectl scale deployment web --replicas=5
  kubectl delete pod -l app=web                     new pods, new addresses; requests go on
  weft exec{option} node1 -- ip route                    where the other nodes' pods are
  weft exec{option} node1 -- nft list table ip weft-proxy   how the Service is programmed
"""
    )
    return 0


async def _apply(layout: Layout) -> None:
    text = files("weft.lab").joinpath("demo.yaml").read_text()
    objects = [obj for obj in yaml.load_all(text, Loader=yaml.CSafeLoader) if obj]
    async with HttpCluster(load(layout.admin_kubeconfig), "weft-demo") as cluster:
        for obj in objects:
            obj["metadata"]["namespace"] = "default"
        await system.ensure_objects(cluster, objects)
        for _ in range(600):
            try:
                deployment = await cluster.get(DEPLOYMENTS, "web", "default", as_=dict[str, Any])
                client = await cluster.get(PODS, "client", "default", as_=dict[str, Any])
            except ApiError:
                continue
            running = client.get("status", {}).get("phase") == "Running"
            if running and deployment.get("status", {}).get("readyReplicas", 0) >= 3:
                return
            await asyncio.sleep(0.1)
    raise LabError("the demo's pods did not become ready within 60 s (kubectl get pods -o wide tells more)")
