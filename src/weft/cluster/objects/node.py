"""Node: what a machine of the cluster is called, can hold and can be reached at (core/v1)."""

from msgspec import field

from weft.cluster.objects.meta import ObjectMeta, Struct


class Taint(Struct, frozen=True):
    key: str
    effect: str
    value: str = ""
    time_added: str | None = None


class NodeSpec(Struct, frozen=True):
    pod_cidr: str = field(default="", name="podCIDR")
    pod_cidrs: tuple[str, ...] | None = field(default=None, name="podCIDRs")
    unschedulable: bool = False
    taints: tuple[Taint, ...] | None = None


class NodeAddress(Struct, frozen=True):
    type: str
    address: str


class NodeCondition(Struct, frozen=True):
    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_heartbeat_time: str | None = None
    last_transition_time: str | None = None


class NodeStatus(Struct, frozen=True):
    capacity: dict[str, str] | None = None
    allocatable: dict[str, str] | None = None
    addresses: tuple[NodeAddress, ...] | None = None
    conditions: tuple[NodeCondition, ...] | None = None


class Node(Struct, frozen=True):
    metadata: ObjectMeta
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()

    def internal_addresses(self) -> tuple[str, ...]:
        return tuple(a.address for a in self.status.addresses or () if a.type == "InternalIP")

    def is_ready(self) -> bool:
        return any(c.type == "Ready" and c.status == "True" for c in self.status.conditions or ())

    def pod_ranges(self) -> tuple[str, ...]:
        return self.spec.pod_cidrs or ((self.spec.pod_cidr,) if self.spec.pod_cidr else ())
