"""On which nodes a DaemonSet's pods belong, and how a pod is tied to its node ("DaemonSet: how daemon pods are
scheduled"). Pure."""

from collections.abc import Sequence
from typing import Any

from weft.cluster.objects.node_affinity import node_matches
from weft.cluster.objects.taint import (
    DISK_PRESSURE,
    MEMORY_PRESSURE,
    NETWORK_UNAVAILABLE,
    NOT_READY,
    PID_PRESSURE,
    UNREACHABLE,
    UNSCHEDULABLE,
    untolerated,
)
from weft.cluster.port import Object
from weft.controllers.pods import pod_from_template

HASH_LABEL = "controller-revision-hash"
GENERATION_LABEL = "pod-template-generation"
GENERATION_ANNOTATION = "deprecated.daemonset.template.generation"


def daemon_tolerations(template_spec: Object) -> list[dict[str, Any]]:
    """The template's tolerations and those that every daemon pod has."""
    added = [(NOT_READY, "NoExecute"), (UNREACHABLE, "NoExecute")]
    added += [(key, "NoSchedule") for key in (DISK_PRESSURE, MEMORY_PRESSURE, PID_PRESSURE, UNSCHEDULABLE)]
    if template_spec.get("hostNetwork"):
        added.append((NETWORK_UNAVAILABLE, "NoSchedule"))
    made = [dict(toleration) for toleration in template_spec.get("tolerations") or ()]
    for key, effect in added:
        toleration = {"key": key, "operator": "Exists", "effect": effect}
        if toleration not in made:
            made.append(toleration)
    return made


def belongs(daemon_set: Object, node: Object) -> tuple[bool, bool]:
    """(should a pod run there, may one that runs there stay)."""
    spec = daemon_set["spec"]["template"]["spec"]
    meta = node["metadata"]
    if spec.get("nodeName") not in (None, "", meta["name"]) or not node_matches(spec, meta["name"], meta.get("labels")):
        return False, False
    taints, tolerations = (node.get("spec") or {}).get("taints"), daemon_tolerations(spec)
    if untolerated(taints, tolerations, ("NoExecute", "NoSchedule")) is None:
        return True, True
    return False, untolerated(taints, tolerations, ("NoExecute",)) is None


def new_pod(daemon_set: Object, owner: dict[str, Any], revision: str, node: str) -> Object:
    meta = daemon_set["metadata"]
    pod = pod_from_template(daemon_set["spec"]["template"], owner, meta["namespace"])
    labels = {**(pod["metadata"].get("labels") or {}), HASH_LABEL: revision}
    if generation := (meta.get("annotations") or {}).get(GENERATION_ANNOTATION):
        labels[GENERATION_LABEL] = generation
    pod["metadata"]["labels"] = labels
    spec = pod["spec"]
    pod["spec"] = {**spec, "tolerations": daemon_tolerations(spec), "affinity": tied_to(spec.get("affinity"), node)}
    return pod


def tied_to(affinity: Object | None, node: str) -> Object:
    """The affinity with the one node as its only term: the scheduler then decides whether it fits, not where."""
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    node_affinity = {
        **((affinity or {}).get("nodeAffinity") or {}),
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]},
    }
    return {**(affinity or {}), "nodeAffinity": node_affinity}


def node_of(pod: Object) -> str:
    """The node that the pod runs on or is tied to; "" where it is neither."""
    if name := pod["spec"].get("nodeName"):
        return str(name)
    required = ((pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    ) or {}
    for term in required.get("nodeSelectorTerms") or ():
        for field in term.get("matchFields") or ():
            values: Sequence[str] = field.get("values") or ()
            if field["key"] == "metadata.name" and field["operator"] == "In" and len(values) == 1:
                return values[0]
    return ""
