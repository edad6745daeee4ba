"""Pods and records for tests of pure functions."""

from typing import Any

import msgspec

from weft.cluster.objects.pod import Pod
from weft.kubelet.cri.model import ContainerRecord, PodKey, PodRecord, Sandbox
from weft.kubelet.pods.identity import container_hash, find_container

KEY = PodKey("default", "web", "uid-1")


def make_pod(*containers: dict[str, Any], status: dict[str, Any] | None = None, **spec: Any) -> Pod:
    meta = {"name": "web", "namespace": "default", "uid": "uid-1", "generation": 1, **spec.pop("metadata", {})}
    body = {
        "metadata": meta,
        "spec": {"containers": list(containers) or [{"name": "main", "image": "a:1"}], **spec},
        "status": status or {},
    }
    return msgspec.convert(body, Pod)


def sandbox(attempt: int = 0, *, ready: bool = True, address: str = "10.0.0.9") -> Sandbox:
    return Sandbox(f"s{attempt}", KEY, attempt, ready, 1.0 + attempt, addresses=(address,) if address else ())


def run(pod: Pod, name: str, phase: str = "running", attempt: int = 0, code: int = 0, **fields: Any) -> ContainerRecord:
    container = find_container(pod, name)
    known = {
        "sandbox_id": "s0",
        "created_at": 10.0 + attempt,
        "started_at": 10.0 + attempt,
        "finished_at": 100.0 if phase == "exited" else 0.0,
        "exit_code": code,
        "hash": container_hash(container) if container else "",
        "image": "a:1",
    }
    return ContainerRecord(f"{name}-{attempt}", KEY, name, attempt, phase, **{**known, **fields})  # type: ignore[arg-type]


def record(*containers: ContainerRecord, sandboxes: tuple[Sandbox, ...] | None = None) -> PodRecord:
    return PodRecord((sandbox(),) if sandboxes is None else sandboxes, containers)
