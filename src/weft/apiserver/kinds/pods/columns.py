"""`kubectl get pods`: how a pod's state is told in one word (pkg/printers/internalversion: printPod)."""

from dataclasses import dataclass
from typing import Any

from weft.apiserver.registry.kind import Column, Object
from weft.apiserver.tables.ages import age, created
from weft.apiserver.tables.cells import AGE, NAME, NONE

COLUMNS = (
    NAME,
    Column("Ready"),
    Column("Status"),
    Column("Restarts"),
    AGE,
    Column("IP", priority=1),
    Column("Node", priority=1),
    Column("Nominated Node", priority=1),
    Column("Readiness Gates", priority=1),
)


@dataclass(slots=True)
class _Restarts:
    count: int = 0
    last: str = ""
    """RFC 3339 in UTC, so that texts order as times do"""

    def add(self, status: Object) -> None:
        self.count += status.get("restartCount", 0)
        finished = status.get("lastState", {}).get("terminated", {}).get("finishedAt") or ""
        self.last = max(self.last, finished)

    def text(self, now: float) -> str:
        return f"{self.count} ({age(self.last, now)} ago)" if self.count and self.last else str(self.count)


@dataclass(slots=True)
class _Summary:
    reason: str
    ready: int
    restarts: _Restarts
    initializing: bool = False


def row(pod: Object, now: float) -> list[Any]:
    spec, status = pod.get("spec", {}), pod.get("status", {})
    sidecars = {each["name"] for each in spec.get("initContainers", ()) if each.get("restartPolicy") == "Always"}
    summary = _init_containers(spec, status, sidecars)
    addresses = status.get("podIPs") or [{}]
    return [
        pod["metadata"].get("name", ""),
        f"{summary.ready}/{len(spec.get('containers', ())) + len(sidecars)}",
        _deleted(pod, summary.reason),
        summary.restarts.text(now),
        created(pod, now),
        addresses[0].get("ip") or NONE,
        spec.get("nodeName") or NONE,
        status.get("nominatedNodeName") or NONE,
        _gates(spec, status),
    ]


def _init_containers(spec: Object, status: Object, sidecars: set[str]) -> _Summary:
    reason = status.get("reason") or status.get("phase", "")
    conditions = status.get("conditions", ())
    if any(each["type"] == "PodScheduled" and each.get("reason") == "SchedulingGated" for each in conditions):
        reason = "SchedulingGated"
    summary = _Summary(reason, 0, _Restarts())
    of_sidecars = _Restarts()
    for index, each in enumerate(status.get("initContainerStatuses", ())):
        summary.restarts.add(each)
        if each["name"] in sidecars:
            of_sidecars.add(each)
        state = each.get("state", {})
        if "terminated" in state and not state["terminated"].get("exitCode"):
            continue
        if each["name"] in sidecars and each.get("started"):
            summary.ready += bool(each.get("ready"))
            continue
        summary.initializing = True
        summary.reason = _init_reason(state, index, len(spec.get("initContainers", ())))
        break
    if not summary.initializing or _is_true(status, "Initialized"):
        summary.restarts = of_sidecars
        _containers(status, summary)
    return summary


def _init_reason(state: Object, index: int, total: int) -> str:
    if "terminated" in state:
        return f"Init:{_end(state['terminated'])}"
    waiting = state.get("waiting", {}).get("reason")
    if waiting and waiting != "PodInitializing":
        return f"Init:{waiting}"
    return f"Init:{index}/{total}"


def _end(terminated: Object) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def _containers(status: Object, summary: _Summary) -> None:
    running, failure = False, ""
    for each in reversed(status.get("containerStatuses", [])):
        summary.restarts.add(each)
        state = each.get("state", {})
        if state.get("waiting", {}).get("reason"):
            summary.reason = state["waiting"]["reason"]
        elif "terminated" in state:
            summary.reason = _end(state["terminated"])
            if state["terminated"].get("exitCode"):
                failure = summary.reason
        elif each.get("ready") and "running" in state:
            running = True
            summary.ready += 1
    if summary.reason == "Completed":
        if running and _is_true(status, "Ready"):
            summary.reason = "Running"
        elif failure or running:
            summary.reason = failure or "NotReady"


def _deleted(pod: Object, reason: str) -> str:
    status = pod.get("status", {})
    if "deletionTimestamp" not in pod["metadata"]:
        return reason
    if status.get("reason") == "NodeLost":
        return "Unknown"
    return reason if status.get("phase") in ("Succeeded", "Failed") else "Terminating"


def _is_true(status: Object, name: str) -> bool:
    return any(each["type"] == name and each.get("status") == "True" for each in status.get("conditions", ()))


def _gates(spec: Object, status: Object) -> str:
    gates = spec.get("readinessGates") or ()
    if not gates:
        return NONE
    return f"{sum(_is_true(status, gate['conditionType']) for gate in gates)}/{len(gates)}"
