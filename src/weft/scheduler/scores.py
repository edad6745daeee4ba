"""Which of the nodes that can take a pod is best: scores of 0 to 100 with upstream's weights. Pure."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from weft.cluster.objects.node_affinity import term_matches
from weft.cluster.objects.selector import equality_matches
from weft.cluster.objects.taint import tolerates
from weft.scheduler.filters import Candidate
from weft.scheduler.state import NodeInfo

Selector = Mapping[str, str]
Scores = list[float]

_HOST_SKEW, _ZONE_SKEW = 3, 5
"""maxSkew of the default constraints over hostnames and zones."""


def total(wanted: Candidate, nodes: Sequence[NodeInfo], selector: Selector | None) -> Scores:
    """One sum per node. `selector` are the labels of the Services that the pod belongs to, None where to none."""
    parts: list[tuple[int, Scores]] = [
        (1, [_least_allocated(wanted, node) for node in nodes]),
        (1, [_balanced(wanted, node) for node in nodes]),
        (2, _spread(wanted, nodes, selector)),
    ]
    if any(node.taints for node in nodes):
        parts.append((3, _reversed([float(_soft_taints(wanted, node)) for node in nodes])))
    if preferred := _preferred_terms(wanted):
        parts.append((2, _scaled([_preference(preferred, node) for node in nodes])))
    return [sum(weight * scores[i] for weight, scores in parts) for i in range(len(nodes))]


def _least_allocated(wanted: Candidate, node: NodeInfo) -> float:
    """The share of CPU and memory that would be left."""
    cpu = _free(node.allocatable.get("cpu", 0), node.scored_cpu + wanted.demand.cpu)
    memory = _free(node.allocatable.get("memory", 0), node.scored_memory + wanted.demand.memory)
    return float((cpu + memory) // 2)


def _free(capacity: int, used: int) -> int:
    return (capacity - used) * 100 // capacity if 0 < capacity >= used else 0


def _balanced(wanted: Candidate, node: NodeInfo) -> float:
    """CPU and memory used up evenly are better than one of them alone."""
    requests, used, allocatable = wanted.demand.requests, node.used, node.allocatable
    shares = []
    for name in ("cpu", "memory"):
        capacity = allocatable.get(name, 0)
        if capacity:
            shares.append(min(1.0, (used.get(name, 0) + requests.get(name, 0)) / capacity))
    return (1 - abs(shares[0] - shares[1]) / 2) * 100 if len(shares) == 2 else 100.0


def _spread(wanted: Candidate, nodes: Sequence[NodeInfo], selector: Selector | None) -> Scores:
    """Few pods of the same owner, or of the same Services, on the node and in its zone (soft topology spread)."""
    counted = _counter(wanted, selector)
    if counted is None:
        return [100.0] * len(nodes)
    on_node = [counted(node) for node in nodes]
    in_zone: Counter[str] = Counter()
    for node, count in zip(nodes, on_node, strict=True):
        in_zone[node.zone] += count
    host_weight = math.log(len(nodes) + 2)
    zone_weight = math.log(len([zone for zone in in_zone if zone]) + 2)
    raw = []
    for node, count in zip(nodes, on_node, strict=True):
        score = count * host_weight + _HOST_SKEW - 1
        if node.zone:
            score += in_zone[node.zone] * zone_weight + _ZONE_SKEW - 1
        raw.append(round(score))
    least, most = min(raw), max(raw)
    return [float(100 * (most + least - score) // most) if most else 100.0 for score in raw]


def _counter(wanted: Candidate, selector: Selector | None) -> Callable[[NodeInfo], int] | None:
    owner, namespace = wanted.pod.controller, wanted.pod.metadata.namespace
    if owner:
        return lambda node: node.of_controller.get(owner, 0)
    if selector is None:
        return None
    return lambda node: sum(
        placed.pod.metadata.namespace == namespace
        and not placed.pod.metadata.deletion_timestamp
        and equality_matches(selector, placed.pod.metadata.labels)
        for placed in node.pods.values()
    )


def _soft_taints(wanted: Candidate, node: NodeInfo) -> int:
    tolerations = wanted.pod.spec.tolerations or ()
    return sum(
        taint["effect"] == "PreferNoSchedule" and not any(tolerates(toleration, taint) for toleration in tolerations)
        for taint in node.taints
    )


def _preferred_terms(wanted: Candidate) -> Sequence[Mapping[str, Any]]:
    affinity = (wanted.pod.spec.affinity or {}).get("nodeAffinity") or {}
    return affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or ()


def _preference(preferred: Sequence[Mapping[str, Any]], node: NodeInfo) -> float:
    return float(sum(t["weight"] for t in preferred if term_matches(t["preference"], node.name, node.labels)))


def _scaled(scores: Scores) -> Scores:
    most = max(scores)
    return [score * 100 / most for score in scores] if most else scores


def _reversed(scores: Scores) -> Scores:
    return [100 - score for score in _scaled(scores)]
