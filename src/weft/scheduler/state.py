"""What runs where, and what is left: nodes with the pods on them, those just decided for included. Pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from weft.scheduler.demand import Amounts, Demand, HostPort, amounts, demand_of
from weft.scheduler.objects import Node, Pod

ZONE = "topology.kubernetes.io/zone"


@dataclass(slots=True)
class Placed:
    """A pod on a node."""

    pod: Pod
    demand: Demand
    node: str


@dataclass(slots=True)
class NodeInfo:
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    zone: str = ""
    taints: tuple[dict[str, Any], ...] = ()
    unschedulable: bool = False
    allocatable: Amounts = field(default_factory=dict)
    exists: bool = False
    """False while pods name a node that is not known (yet, or any more)."""
    used: Amounts = field(default_factory=dict)
    scored_cpu: int = 0
    scored_memory: int = 0
    ports: Counter[HostPort] = field(default_factory=Counter)
    pods: dict[str, Placed] = field(default_factory=dict)
    of_controller: Counter[str] = field(default_factory=Counter)
    """How many pods of one owner run here; those that are going away do not count."""

    def describe(self, node: Node) -> None:
        self.exists = True
        self.labels = node.metadata.labels or {}
        self.zone = self.labels.get(ZONE, "")
        self.taints = node.spec.taints or ()
        self.unschedulable = node.spec.unschedulable
        self.allocatable = amounts(node.status.allocatable or node.status.capacity)

    def add(self, placed: Placed, sign: int = 1) -> None:
        demand, pod = placed.demand, placed.pod
        for name, value in demand.requests.items():
            self.used[name] = self.used.get(name, 0) + sign * value
        self.scored_cpu += sign * demand.cpu
        self.scored_memory += sign * demand.memory
        for port in demand.ports:
            self.ports[port] += sign
            if not self.ports[port]:
                del self.ports[port]
        if pod.controller and not pod.metadata.deletion_timestamp:
            self.of_controller[pod.controller] += sign
            if not self.of_controller[pod.controller]:
                del self.of_controller[pod.controller]
        if sign > 0:
            self.pods[pod.metadata.uid] = placed
        else:
            del self.pods[pod.metadata.uid]


class ClusterState:
    """`assume` counts a pod where it was decided to go, until the watch tells of it (`put`) or binding fails."""

    def __init__(self) -> None:
        self.nodes: dict[str, NodeInfo] = {}
        self._placed: dict[str, Placed] = {}
        self.assumed: dict[str, str] = {}
        """UID → `namespace/name` of pods that no watch event has placed yet."""

    def put_node(self, node: Node) -> None:
        name = node.metadata.name
        self.nodes.setdefault(name, NodeInfo(name)).describe(node)

    def remove_node(self, name: str) -> None:
        info = self.nodes.get(name)
        if info is not None:
            info.exists = False
            self._prune(name)

    def ready_nodes(self) -> list[NodeInfo]:
        return [info for info in self.nodes.values() if info.exists]

    def put(self, pod: Pod) -> None:
        """A pod that is bound to a node, as the watch tells."""
        self._place(pod, pod.spec.node_name)
        self.assumed.pop(pod.metadata.uid, None)

    def assume(self, pod: Pod, node: str) -> None:
        self._place(pod, node)
        self.assumed[pod.metadata.uid] = pod.metadata.key

    def remove(self, uid: str) -> bool:
        """Whether the pod took room anywhere."""
        self.assumed.pop(uid, None)
        placed = self._placed.pop(uid, None)
        if placed is None:
            return False
        self.nodes[placed.node].add(placed, -1)
        self._prune(placed.node)
        return True

    def is_placed(self, uid: str) -> bool:
        return uid in self._placed

    def _place(self, pod: Pod, node: str) -> None:
        uid = pod.metadata.uid
        old = self._placed.get(uid)
        if old is not None and old.node == node and _counts_the_same(old.pod, pod):
            old.pod = pod
            return
        self.remove(uid)
        placed = self._placed[uid] = Placed(pod, demand_of(pod), node)
        self.nodes.setdefault(node, NodeInfo(node)).add(placed)

    def _prune(self, name: str) -> None:
        info = self.nodes[name]
        if not info.exists and not info.pods:
            del self.nodes[name]


def _counts_the_same(one: Pod, other: Pod) -> bool:
    return (
        one.spec == other.spec
        and one.controller == other.controller
        and one.metadata.deletion_timestamp == other.metadata.deletion_timestamp
    )
