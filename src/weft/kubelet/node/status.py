"""The Node object: what it is registered as, and the status that follows. Pure ("Node Status")."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weft import KUBERNETES_VERSION
from weft.cluster.objects.quantity import milli, parse_quantity, whole
from weft.kubelet.config import Config
from weft.kubelet.cri.model import ImageFacts, RuntimeStatus
from weft.kubelet.node.facts import MachineFacts

_PRESSURES = (
    ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
)


@dataclass(frozen=True, slots=True)
class Resources:
    capacity: dict[str, str]
    allocatable: dict[str, str]


def resources(config: Config, facts: MachineFacts) -> Resources:
    """What the machine has unless the flags say otherwise, and what is left of it for pods."""
    capacity = {
        "cpu": str(facts.processors),
        "ephemeral-storage": f"{facts.disk // 1024}Ki",
        "hugepages-2Mi": "0",
        "memory": f"{facts.memory // 1024}Ki",
        "pods": str(config.max_pods),
    } | config.capacity
    allocatable = dict(capacity)
    for name, reserved in config.system_reserved.items():
        if name in allocatable:
            allocatable[name] = _less(name, allocatable[name], reserved)
    return Resources(capacity, allocatable)


def _less(name: str, value: str, reserved: str) -> str:
    if name == "cpu":
        left = max(milli(value) - milli(reserved), 0)
        return f"{left}m" if left % 1000 else str(left // 1000)
    left = max(whole(value) - whole(reserved), 0)
    return f"{left // 1024}Ki" if left % 1024 == 0 and "i" in value else str(left)


def memory_bytes(found: Resources) -> int:
    return int(parse_quantity(found.capacity["memory"]))


def labels(config: Config, facts: MachineFacts) -> dict[str, str]:
    return {
        "beta.kubernetes.io/arch": facts.architecture,
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": facts.architecture,
        "kubernetes.io/hostname": config.node_name,
        "kubernetes.io/os": "linux",
    } | config.node_labels


def node_object(config: Config, facts: MachineFacts) -> dict[str, Any]:
    """The Node as it is first registered, without its status."""
    spec: dict[str, Any] = {}
    if config.register_with_taints:
        spec["taints"] = [_taint(text) for text in config.register_with_taints]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": config.node_name,
            "labels": labels(config, facts),
            "annotations": {"volumes.kubernetes.io/controller-managed-attach-detach": "true"},
        },
        "spec": spec,
    }


def _taint(text: str) -> dict[str, str]:
    key, _, effect = text.rpartition(":")
    name, _, value = key.partition("=")
    if effect not in ("NoSchedule", "PreferNoSchedule", "NoExecute") or not name:
        raise ValueError(f"--register-with-taints: {text!r} must be KEY=VALUE:EFFECT")
    return {"key": name, "effect": effect} | ({"value": value} if value else {})


def addresses(config: Config) -> list[dict[str, str]]:
    found = [{"type": "InternalIP", "address": address} for address in config.node_addresses]
    return [*found, {"type": "Hostname", "address": config.node_name}]


def conditions(runtime: RuntimeStatus | None, problem: str = "") -> list[dict[str, str]]:
    """Without times. `problem`: why the runtime cannot be asked."""
    made = [{"type": t, "status": "False", "reason": r, "message": m} for t, r, m in _PRESSURES]
    trouble = _trouble(runtime, problem)
    if trouble:
        made.append({"type": "Ready", "status": "False", "reason": "KubeletNotReady", "message": trouble})
    else:
        text = "kubelet is posting ready status"
        made.append({"type": "Ready", "status": "True", "reason": "KubeletReady", "message": text})
    return made


def _trouble(runtime: RuntimeStatus | None, problem: str) -> str:
    if runtime is None:
        return (
            f"container runtime is down: {problem}"
            if problem
            else "container runtime status check may not have completed yet"
        )
    for name, title, condition in (
        ("RuntimeReady", "container runtime not ready", runtime.runtime),
        ("NetworkReady", "container runtime network not ready", runtime.network),
    ):
        if not condition.ready:
            return f"{title}: {name}=false reason:{condition.reason} message:{condition.message}"
    return ""


def dated(fresh: Sequence[Mapping[str, str]], old: Sequence[Mapping[str, Any]], now: str) -> list[dict[str, Any]]:
    """The conditions with their times: a heartbeat now, a transition now only where the status is another."""
    known = {condition["type"]: condition for condition in old}
    made = []
    for condition in fresh:
        before = known.get(condition["type"], {})
        same = before.get("status") == condition["status"] and before.get("lastTransitionTime")
        since = before["lastTransitionTime"] if same else now
        made.append({**condition, "lastHeartbeatTime": now, "lastTransitionTime": since})
    return made


def node_info(facts: MachineFacts, runtime_version: str) -> dict[str, str]:
    return {
        "architecture": facts.architecture,
        "bootID": facts.boot_id,
        "containerRuntimeVersion": runtime_version,
        "kernelVersion": facts.kernel,
        "kubeProxyVersion": "",
        "kubeletVersion": KUBERNETES_VERSION,
        "machineID": facts.machine_id,
        "operatingSystem": "linux",
        "osImage": facts.os_image,
        "systemUUID": facts.machine_id,
    }


def image_list(images: Sequence[ImageFacts]) -> list[dict[str, Any]]:
    """The fifty largest, as upstream reports them."""
    largest = sorted(images, key=lambda image: -image.size)[:50]
    return [{"names": list(image.names or (image.reference,))[:5], "sizeBytes": image.size} for image in largest]
