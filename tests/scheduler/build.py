"""Pods and nodes for the scheduler's tests."""

from typing import Any

import msgspec

from weft.scheduler.demand import demand_of
from weft.scheduler.filters import Candidate, candidate
from weft.scheduler.objects import Node, Pod
from weft.scheduler.state import ClusterState

GI = 2**30


def raw_node(name: str, cpu: str = "4", memory: str = "8Gi", pods: str = "110", **spec: Any) -> dict[str, Any]:
    labels = spec.pop("labels", {})
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": spec,
        "status": {"allocatable": {"cpu": cpu, "memory": memory, "pods": pods}},
    }


def raw_pod(name: str, *, owner: str = "", labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    requests = spec.pop("requests", {})
    ports = spec.pop("ports", [])
    container = {"name": "c", "resources": {"requests": requests}, "ports": ports}
    meta: dict[str, Any] = {"name": name, "namespace": "shop", "uid": f"uid-{name}", "labels": labels or {}}
    if owner:
        meta["ownerReferences"] = [
            {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owner, "uid": owner, "controller": True}
        ]
    return {"metadata": meta, "spec": {"containers": [container], **spec}}


def node(*args: Any, **kwargs: Any) -> Node:
    return msgspec.convert(raw_node(*args, **kwargs), Node)


def pod(*args: Any, **kwargs: Any) -> Pod:
    return msgspec.convert(raw_pod(*args, **kwargs), Pod)


def wanting(*args: Any, **kwargs: Any) -> Candidate:
    made = pod(*args, **kwargs)
    return candidate(made, demand_of(made))


def state(*nodes: Node) -> ClusterState:
    made = ClusterState()
    for each in nodes:
        made.put_node(each)
    return made
