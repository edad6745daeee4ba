"""`kubectl get daemonsets`."""

from typing import Any

from weft.apiserver.registry.kind import Column, Object
from weft.apiserver.tables.ages import created
from weft.apiserver.tables.cells import AGE, NAME, labels, workload, workload_columns

_COUNTS = {
    "Desired": "desiredNumberScheduled",
    "Current": "currentNumberScheduled",
    "Ready": "numberReady",
    "Up-to-date": "updatedNumberScheduled",
    "Available": "numberAvailable",
}
COLUMNS = (
    NAME,
    *(Column(name, "integer") for name in _COUNTS),
    Column("Node Selector"),
    AGE,
    *workload_columns(),
)


def row(daemon_set: Object, now: float) -> list[Any]:
    spec, status = daemon_set.get("spec", {}), daemon_set.get("status", {})
    return [
        daemon_set["metadata"].get("name", ""),
        *(status.get(field, 0) for field in _COUNTS.values()),
        labels(spec.get("template", {}).get("spec", {}).get("nodeSelector")),
        created(daemon_set, now),
        *workload(spec),
    ]
