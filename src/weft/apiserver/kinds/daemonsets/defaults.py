"""Defaults of DaemonSets (pkg/apis/apps/v1/defaults.go)."""

from weft.apiserver.kinds.pods.defaults import default_pod_template
from weft.apiserver.registry.kind import Object

_COUNTS = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")


def default_daemon_set(daemon_set: Object) -> None:
    spec = daemon_set.setdefault("spec", {})
    spec.setdefault("revisionHistoryLimit", 10)
    strategy = spec.setdefault("updateStrategy", {})
    strategy["type"] = strategy.get("type") or "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", 1)
        rolling.setdefault("maxSurge", 0)
    default_pod_template(spec.setdefault("template", {}))
    status = daemon_set.setdefault("status", {})
    for count in _COUNTS:
        status.setdefault(count, 0)
