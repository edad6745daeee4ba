"""Defaults of ReplicaSets (pkg/apis/apps/v1/defaults.go)."""

from weft.apiserver.kinds.pods.defaults import default_pod_template
from weft.apiserver.registry.kind import Object


def default_replica_set(replica_set: Object) -> None:
    spec = replica_set.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    default_pod_template(spec.setdefault("template", {}))
    replica_set.setdefault("status", {}).setdefault("replicas", 0)
