"""`kubectl get replicasets`."""

from typing import Any

from weft.apiserver.registry.kind import Column, Object
from weft.apiserver.tables.ages import created
from weft.apiserver.tables.cells import AGE, NAME, workload, workload_columns

COLUMNS = (
    NAME,
    Column("Desired", "integer"),
    Column("Current", "integer"),
    Column("Ready", "integer"),
    AGE,
    *workload_columns(),
)


def row(replica_set: Object, now: float) -> list[Any]:
    spec, status = replica_set.get("spec", {}), replica_set.get("status", {})
    return [
        replica_set["metadata"].get("name", ""),
        spec.get("replicas", 0),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        created(replica_set, now),
        *workload(spec),
    ]
