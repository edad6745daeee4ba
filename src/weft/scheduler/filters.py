"""Which nodes can take a pod, and in upstream's words why the others cannot. Pure.

Each filter gives the reasons against one node. Like upstream's, they run in a fixed order and the first that objects
ends it. `hopeless` reasons are those that no leaving pod could change.
"""

from collections.abc import Callable
from dataclasses import dataclass

from weft.cluster.objects.node_affinity import node_matches, only_nodes
from weft.cluster.objects.taint import UNSCHEDULABLE, tolerates, untolerated
from weft.scheduler.demand import Demand, ports_conflict
from weft.scheduler.objects import Pod
from weft.scheduler.state import NodeInfo

_BLOCKING = ("NoSchedule", "NoExecute")
_UNSCHEDULABLE_TAINT = {"key": UNSCHEDULABLE, "effect": "NoSchedule"}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pod that looks for a node, with what is computed once for all nodes."""

    pod: Pod
    demand: Demand
    placement: dict[str, object]
    """The pod's nodeSelector and affinity; empty where it has neither."""
    only: frozenset[str] | None
    """Node names that the pod itself names; None for any."""


@dataclass(frozen=True, slots=True)
class Refusal:
    reasons: tuple[str, ...]
    hopeless: bool = True


def candidate(pod: Pod, demand: Demand) -> Candidate:
    spec = pod.spec
    placement: dict[str, object] = {}
    if spec.node_selector:
        placement["nodeSelector"] = spec.node_selector
    if spec.affinity and spec.affinity.get("nodeAffinity"):
        placement["affinity"] = spec.affinity
    return Candidate(pod, demand, placement, only_nodes(placement))


def _node_unschedulable(wanted: Candidate, node: NodeInfo) -> Refusal | None:
    if not node.unschedulable:
        return None
    if any(tolerates(toleration, _UNSCHEDULABLE_TAINT) for toleration in wanted.pod.spec.tolerations or ()):
        return None
    return Refusal(("node(s) were unschedulable",))


def _taints(wanted: Candidate, node: NodeInfo) -> Refusal | None:
    if not node.taints or untolerated(node.taints, wanted.pod.spec.tolerations, _BLOCKING) is None:
        return None
    return Refusal(("node(s) had untolerated taint(s)",))


def _affinity(wanted: Candidate, node: NodeInfo) -> Refusal | None:
    if not wanted.placement or node_matches(wanted.placement, node.name, node.labels):
        return None
    return Refusal(("node(s) didn't match Pod's node affinity/selector",))


def _ports(wanted: Candidate, node: NodeInfo) -> Refusal | None:
    if not wanted.demand.ports or not node.ports:
        return None
    if any(ports_conflict(mine, taken) for mine in wanted.demand.ports for taken in node.ports):
        return Refusal(("node(s) didn't have free ports for the requested pod ports",), hopeless=False)
    return None


def _resources(wanted: Candidate, node: NodeInfo) -> Refusal | None:
    reasons, hopeless = [], False
    if len(node.pods) + 1 > node.allocatable.get("pods", 0):
        reasons.append("Too many pods")
    used, allocatable = node.used, node.allocatable
    for name, value in wanted.demand.requests.items():
        total = allocatable.get(name, 0)
        if value and value > total - used.get(name, 0):
            reasons.append(f"Insufficient {name}")
            hopeless = hopeless or value > total
    return Refusal(tuple(reasons), hopeless) if reasons else None


FILTERS: tuple[Callable[[Candidate, NodeInfo], Refusal | None], ...] = (
    _node_unschedulable,
    _taints,
    _affinity,
    _ports,
    _resources,
)


def refusal(wanted: Candidate, node: NodeInfo) -> Refusal | None:
    """Why the node cannot take the pod; None where it can."""
    for objects_to in FILTERS:
        found = objects_to(wanted, node)
        if found is not None:
            return found
    return None
