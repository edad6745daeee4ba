"""Which nodes a pod may run on by nodeSelector and required node affinity ("Assigning Pods to Nodes")."""

from collections.abc import Mapping, Sequence
from typing import Any

from weft.cluster.objects.selector import Labels, equality_matches, expression_matches


def required_terms(pod_spec: Mapping[str, Any]) -> Sequence[Mapping[str, Any]] | None:
    """The nodeSelectorTerms of requiredDuringSchedulingIgnoredDuringExecution; None where the pod requires nothing."""
    affinity = (pod_spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    return None if required is None else required.get("nodeSelectorTerms") or ()


def node_matches(pod_spec: Mapping[str, Any], node_name: str, node_labels: Labels | None) -> bool:
    """Both the nodeSelector and one of the required terms must match."""
    labels = node_labels or {}
    if not equality_matches(pod_spec.get("nodeSelector"), labels):
        return False
    terms = required_terms(pod_spec)
    return terms is None or any(term_matches(term, node_name, labels) for term in terms)


def term_matches(term: Mapping[str, Any], node_name: str, labels: Labels) -> bool:
    """All expressions and fields of the term; a term without any matches no node."""
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not fields:
        return False
    known = {"metadata.name": node_name}
    return all(_holds(e, labels) for e in expressions) and all(_holds(f, known) for f in fields)


def _holds(requirement: Mapping[str, Any], labels: Labels) -> bool:
    return expression_matches(requirement["key"], requirement["operator"], requirement.get("values") or (), labels)


def only_nodes(pod_spec: Mapping[str, Any]) -> frozenset[str] | None:
    """The nodes that the pod names by matchFields metadata.name (as DaemonSet pods do); None: any node may do."""
    terms = required_terms(pod_spec)
    if not terms:
        return None
    names: set[str] = set()
    for term in terms:
        named = [f.get("values") or () for f in term.get("matchFields") or () if f["operator"] == "In"]
        if not named:
            return None
        names.update(named[0])
    return frozenset(names)
