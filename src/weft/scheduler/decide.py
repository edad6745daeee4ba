"""One pod, all nodes, one answer: the best node, or the sentence that tells why there is none. Pure."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from weft.scheduler.filters import Candidate, Refusal, refusal
from weft.scheduler.scores import Selector, total
from weft.scheduler.state import NodeInfo

Choose = Callable[[Sequence[str]], str]
"""Picks one of equally good nodes."""

NO_NODES = "no nodes available to schedule pods"


@dataclass(frozen=True, slots=True)
class Unschedulable:
    message: str
    room_helps: bool
    """Whether a pod that leaves could change the answer."""


def decide(
    wanted: Candidate, nodes: Sequence[NodeInfo], selector: Selector | None, choose: Choose
) -> str | Unschedulable:
    """The name of the node for the pod."""
    if not nodes:
        return Unschedulable(NO_NODES, room_helps=False)
    looked_at = nodes if wanted.only is None else [node for node in nodes if node.name in wanted.only]
    refusals = [(node, refusal(wanted, node)) for node in looked_at]
    fitting = [node for node, why in refusals if why is None]
    if not fitting:
        found = [why for _, why in refusals if why is not None]
        return Unschedulable(explain(found, len(nodes)), any(not why.hopeless for why in found))
    if len(fitting) == 1:
        return fitting[0].name
    scores = total(wanted, fitting, selector)
    best = max(scores)
    return choose([node.name for node, score in zip(fitting, scores, strict=True) if score >= best])


def explain(refusals: Sequence[Refusal], nodes: int) -> str:
    """`0/3 nodes are available: 1 Insufficient memory, 2 node(s) were unschedulable. preemption: 0/3 …`"""
    reasons = Counter(reason for each in refusals for reason in each.reasons)
    if nodes > len(refusals):
        reasons["node(s) didn't satisfy plugin(s) [NodeAffinity]"] = nodes - len(refusals)
    # Nothing is ever preempted: where a leaving pod would help, there is just no pod of lower priority.
    helpful = sum(not each.hopeless for each in refusals)
    preemption = Counter({
        "No preemption victims found for incoming pod": helpful,
        "Preemption is not helpful for scheduling": nodes - helpful,
    })  # fmt: skip
    return f"{_histogram(reasons, nodes)} preemption: {_histogram(+preemption, nodes)}"


def _histogram(reasons: Counter[str], nodes: int) -> str:
    counted = ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
    return f"0/{nodes} nodes are available: {counted}."
