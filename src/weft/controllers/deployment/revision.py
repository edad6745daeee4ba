"""Templates and revisions: which ReplicaSet is the new one, what it is called, what its annotations tell. Pure."""

import json
from collections.abc import Sequence
from typing import Any

from weft.cluster.objects.resource import DEPLOYMENTS
from weft.cluster.port import Object
from weft.controllers.deployment.sizes import (
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    REVISION,
    REVISION_HISTORY,
    age_order,
    max_total,
    revision,
)
from weft.controllers.owners import controller_reference
from weft.controllers.replicaset.plan import replicas

HASH_LABEL = "pod-template-hash"
_NOT_COPIED = frozenset({
    "kubectl.kubernetes.io/last-applied-configuration", REVISION, REVISION_HISTORY, DESIRED_REPLICAS, MAX_REPLICAS,
    "deprecated.deployment.rollback.to",
})  # fmt: skip
_HISTORY_CHARS = 2000
_SAFE = "bcdfghjklmnpqrstvwxz2456789"
_MAX_NAME = 253


def split_new_and_old(deployment: Object, replica_sets: Sequence[Object]) -> tuple[Object | None, list[Object]]:
    """The oldest ReplicaSet with the Deployment's template, and all others, oldest first."""
    ordered = sorted(replica_sets, key=age_order)
    wanted = comparable(deployment["spec"]["template"])
    new = next((each for each in ordered if comparable(each["spec"]["template"]) == wanted), None)
    return new, [each for each in ordered if each is not new]


def comparable(template: Object) -> Any:
    """The template without its hash label and without fields that say nothing."""
    meta = template.get("metadata") or {}
    labels = {key: value for key, value in (meta.get("labels") or {}).items() if key != HASH_LABEL}
    return _significant({**template, "metadata": {**meta, "labels": labels}})


def _significant(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _significant(v) for k, v in value.items() if v is not None and v != []}
    if isinstance(value, list):
        return [_significant(item) for item in value]
    return value


def template_hash(template: Object, collisions: int | None) -> str:
    """At most ten letters and digits that form no word (FNV-1a over the sorted JSON, rand.SafeEncodeString)."""
    text = json.dumps([_significant(template), collisions], sort_keys=True, separators=(",", ":"))
    value = 0x811C9DC5
    for byte in text.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return "".join(_SAFE[ord(digit) % len(_SAFE)] for digit in str(value))


def new_replica_set(deployment: Object, count: int, number: int) -> Object:
    """The ReplicaSet of the Deployment's template with `count` replicas and revision `number`."""
    meta, spec = deployment["metadata"], deployment["spec"]
    template = spec["template"]
    hashed = template_hash(template, (deployment.get("status") or {}).get("collisionCount"))
    labels = {**((template.get("metadata") or {}).get("labels") or {}), HASH_LABEL: hashed}
    selector = spec["selector"]
    made: Object = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{meta['name'][: _MAX_NAME - 1 - len(hashed)]}-{hashed}",
            "namespace": meta["namespace"],
            "labels": labels,
            "annotations": {},
            "ownerReferences": [controller_reference(DEPLOYMENTS, deployment)],
        },
        "spec": {
            "replicas": count,
            "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), HASH_LABEL: hashed}},
            "template": {**template, "metadata": {**(template.get("metadata") or {}), "labels": labels}},
        },
    }
    if spec.get("minReadySeconds"):
        made["spec"]["minReadySeconds"] = spec["minReadySeconds"]
    return with_sizes(deployment, with_revision(deployment, made, number))


def with_revision(deployment: Object, replica_set: Object, number: int) -> Object:
    """The ReplicaSet with the Deployment's annotations and a revision of at least `number`."""
    old = replica_set["metadata"].get("annotations") or {}
    mine = deployment["metadata"].get("annotations") or {}
    annotations = {**old, **{key: value for key, value in mine.items() if key not in _NOT_COPIED}}
    if revision(replica_set) < number:
        annotations[REVISION] = str(number)
        if REVISION in old:
            annotations[REVISION_HISTORY] = _history(old.get(REVISION_HISTORY, ""), old[REVISION])
    return annotated(replica_set, annotations)


def _history(before: str, served: str) -> str:
    """The revisions that this ReplicaSet served before, the oldest dropped where the text grows too long."""
    numbers = [*filter(None, before.split(",")), served]
    while len(",".join(numbers)) > _HISTORY_CHARS:
        numbers.pop(0)
    return ",".join(numbers)


def with_sizes(deployment: Object, replica_set: Object) -> Object:
    """The ReplicaSet told the size of its Deployment: by this a later scaling is told from a rollout."""
    old = replica_set["metadata"].get("annotations") or {}
    sizes = {DESIRED_REPLICAS: str(replicas(deployment)), MAX_REPLICAS: str(max_total(deployment))}
    return annotated(replica_set, {**old, **sizes})


def annotated(obj: Object, annotations: dict[str, str]) -> Object:
    return {**obj, "metadata": {**obj["metadata"], "annotations": annotations}}
