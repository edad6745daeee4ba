"""`kubectl get deployments`."""

from typing import Any

from weft.apiserver.registry.kind import Column, Object
from weft.apiserver.tables.ages import created
from weft.apiserver.tables.cells import AGE, NAME, workload, workload_columns

COLUMNS = (NAME, Column("Ready"), Column("Up-to-date"), Column("Available"), AGE, *workload_columns())


def row(deployment: Object, now: float) -> list[Any]:
    spec, status = deployment.get("spec", {}), deployment.get("status", {})
    return [
        deployment["metadata"].get("name", ""),
        f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        created(deployment, now),
        *workload(spec),
    ]
