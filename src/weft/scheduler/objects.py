"""Pods and nodes trimmed to what decides where a pod runs (core/v1)."""

from typing import Any

from msgspec import field

from weft.cluster.objects.meta import ObjectMeta, Struct

Quantities = dict[str, str | int | float]


class Port(Struct, frozen=True):
    host_port: int = 0
    protocol: str = "TCP"
    host_ip: str = field(default="", name="hostIP")


class Resources(Struct, frozen=True):
    requests: Quantities | None = None


class Container(Struct, frozen=True):
    resources: Resources | None = None
    ports: tuple[Port, ...] | None = None
    restart_policy: str | None = None


class PodSpec(Struct, frozen=True):
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] | None = None
    overhead: Quantities | None = None
    resources: Resources | None = None
    node_name: str = ""
    node_selector: dict[str, str] | None = None
    affinity: dict[str, Any] | None = None
    tolerations: tuple[dict[str, Any], ...] | None = None
    scheduler_name: str = ""
    scheduling_gates: tuple[dict[str, Any], ...] | None = None


class Condition(Struct, frozen=True):
    type: str
    status: str
    reason: str = ""
    message: str = ""


class PodStatus(Struct, frozen=True):
    phase: str = ""
    conditions: tuple[Condition, ...] | None = None


class Pod(Struct, frozen=True):
    metadata: ObjectMeta
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    @property
    def is_over(self) -> bool:
        return self.status.phase in ("Succeeded", "Failed")

    @property
    def controller(self) -> str:
        """UID of the managing owner, "" where there is none."""
        return next((o.uid for o in self.metadata.owner_references or () if o.controller), "")


class NodeSpec(Struct, frozen=True):
    unschedulable: bool = False
    taints: tuple[dict[str, Any], ...] | None = None


class NodeStatus(Struct, frozen=True):
    capacity: Quantities | None = None
    allocatable: Quantities | None = None


class Node(Struct, frozen=True):
    metadata: ObjectMeta
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()
