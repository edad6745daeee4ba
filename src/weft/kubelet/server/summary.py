"""What runs here, in numbers: /stats/summary and /metrics/resource ("Node metrics data")."""

import time
from collections.abc import Mapping
from typing import Any

from weft.kubelet.agent import PodAgent
from weft.kubelet.cri import model
from weft.kubelet.pods.services import NodeServices
from weft.kubelet.status.containers import rfc3339


async def summary(node: NodeServices, agent: PodAgent) -> dict[str, Any]:
    """stats/v1alpha1 Summary: processor time and memory of each container."""
    now = rfc3339(time.time())
    pods: dict[str, dict[str, Any]] = {}
    for stats in await node.runtime.container_stats():
        labels = stats.attributes.labels
        uid = labels.get(model.POD_UID, "")
        worker = agent.workers.get(uid)
        if worker is None:
            continue
        reference = {"name": labels[model.POD_NAME], "namespace": labels[model.POD_NAMESPACE], "uid": uid}
        pod = pods.setdefault(uid, {"podRef": reference, "startTime": worker.told.start_time, "containers": []})
        pod["containers"].append(
            {
                "name": stats.attributes.metadata.name,
                "startTime": now,
                "cpu": {"time": now, "usageCoreNanoSeconds": stats.cpu.usage_core_nano_seconds.value},
                "memory": {"time": now, "workingSetBytes": stats.memory.working_set_bytes.value},
            }
        )
    return {"node": {"nodeName": node.config.node_name, "startTime": now}, "pods": list(pods.values())}


def metrics(found: Mapping[str, Any], agent: PodAgent) -> str:
    """The text format of Prometheus."""
    lines = [
        "# HELP kubelet_running_pods Number of pods that have a running pod sandbox",
        "# TYPE kubelet_running_pods gauge",
        f"kubelet_running_pods {sum(any(s.ready for s in w.record.sandboxes) for w in agent.workers.values())}",
        "# HELP kubelet_running_containers Number of containers currently running",
        "# TYPE kubelet_running_containers gauge",
    ]
    running = sum(len(worker.record.running()) for worker in agent.workers.values())
    lines.append(f'kubelet_running_containers{{container_state="running"}} {running}')
    lines += ["# TYPE container_cpu_usage_seconds_total counter", "# TYPE container_memory_working_set_bytes gauge"]
    for pod in found.get("pods", ()):
        reference = pod["podRef"]
        for container in pod["containers"]:
            where = (
                f'{{container="{container["name"]}",namespace="{reference["namespace"]}",pod="{reference["name"]}"}}'
            )
            seconds = container["cpu"]["usageCoreNanoSeconds"] / 1e9
            lines.append(f"container_cpu_usage_seconds_total{where} {seconds}")
            lines.append(f"container_memory_working_set_bytes{where} {container['memory']['workingSetBytes']}")
    return "\n".join(lines) + "\n"
