"""Reading a Deployment and its ReplicaSets, and the numbers that bound a rollout ("Rolling Update Deployment")."""

from collections.abc import Iterable

from weft.cluster.objects.timestamps import parse_time
from weft.cluster.port import Object
from weft.controllers.replicaset.plan import replicas

REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"
NO_LIMIT = 2**31 - 1


def scaled(value: int | str | None, total: int, *, up: bool) -> int:
    """An IntOrString: a number, or a percentage of `total` rounded up or down."""
    if value is None:
        return 0
    if isinstance(value, str) and value.endswith("%"):
        percent = int(value[:-1]) * total
        return -(-percent // 100) if up else percent // 100
    return int(value)


def is_rolling(deployment: Object) -> bool:
    strategy = deployment["spec"].get("strategy") or {}
    return bool((strategy.get("type") or "RollingUpdate") == "RollingUpdate")


def fences(deployment: Object) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) in pods. Both zero would stand still: then one pod may be missing."""
    if not is_rolling(deployment):
        return 0, 0
    rolling = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    wanted = replicas(deployment)
    surge = scaled(rolling.get("maxSurge", "25%"), wanted, up=True)
    unavailable = scaled(rolling.get("maxUnavailable", "25%"), wanted, up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return surge, min(unavailable, wanted)


def max_total(deployment: Object) -> int:
    return replicas(deployment) + fences(deployment)[0]


def min_available(deployment: Object) -> int:
    return replicas(deployment) - fences(deployment)[1]


def revision(obj: Object) -> int:
    """0 where it has none, or none that can be read."""
    return annotated_number(obj, REVISION) or 0


def annotated_number(obj: Object, name: str) -> int | None:
    value = (obj["metadata"].get("annotations") or {}).get(name, "")
    return int(value) if value.isascii() and value.isdigit() and int(value) <= NO_LIMIT else None


def counted(replica_set: Object, field: str) -> int:
    """A count of the ReplicaSet's status."""
    return int((replica_set.get("status") or {}).get(field) or 0)


def total(replica_sets: Iterable[Object]) -> int:
    return sum(map(replicas, replica_sets))


def total_counted(replica_sets: Iterable[Object], field: str) -> int:
    return sum(counted(replica_set, field) for replica_set in replica_sets)


def age_order(replica_set: Object) -> tuple[float, str]:
    """Oldest first."""
    meta = replica_set["metadata"]
    return parse_time(meta.get("creationTimestamp")), meta["name"]


def is_complete(deployment: Object, status: Object) -> bool:
    """Every wanted pod is of the new template and available, and no other is left."""
    wanted = replicas(deployment)
    return all(status.get(count, 0) == wanted for count in ("updatedReplicas", "replicas", "availableReplicas")) and (
        status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    )
