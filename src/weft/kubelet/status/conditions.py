"""A pod's conditions (PodConditionType; "Pod Lifecycle", "Pod conditions"). Pure."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from weft.cluster.objects.container import ContainerStatus
from weft.cluster.objects.pod import Pod, PodCondition

OWNED = frozenset(("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"))
"""The kubelet's own conditions; all others belong to someone else."""


def pod_conditions(
    pod: Pod, statuses: Sequence[ContainerStatus], phase: str, *, sandbox_ready: bool, now: str
) -> tuple[PodCondition, ...]:
    """The kubelet's conditions. Times of those whose status did not change are kept; `now` is an RFC 3339 time."""
    told = {status.name: status for status in statuses}
    containers_ready = _containers_ready(pod, told, phase)
    conditions = (
        PodCondition("PodReadyToStartContainers", "True" if sandbox_ready else "False"),
        _initialized(pod, told, phase),
        _ready(pod, containers_ready),
        containers_ready,
        PodCondition("PodScheduled", "True"),
    )
    old = {condition.type: condition for condition in pod.status.conditions or ()}
    return tuple(_dated(condition, old.get(condition.type), pod, now) for condition in conditions)


def _dated(condition: PodCondition, old: PodCondition | None, pod: Pod, now: str) -> PodCondition:
    same = old is not None and old.status == condition.status
    since = old.last_transition_time if old is not None and same and old.last_transition_time else now
    return msgspec.structs.replace(condition, last_transition_time=since, observed_generation=pod.metadata.generation)


def _names(names: Iterable[str]) -> str:
    return f"[{' '.join(names)}]"


def _containers_ready(pod: Pod, told: Mapping[str, ContainerStatus], phase: str) -> PodCondition:
    sidecars = [container for container in pod.spec.init_containers or () if container.is_sidecar]
    names = [container.name for container in (*sidecars, *pod.spec.containers)]
    unknown = [name for name in names if name not in told]
    unready = [name for name in names if name in told and not told[name].ready]
    if phase == "Succeeded" and not unknown:
        return PodCondition("ContainersReady", "False", "PodCompleted")
    if phase == "Failed":
        return PodCondition("ContainersReady", "False", "PodFailed")
    message = _told(unknown, unready, "unready")
    if message:
        return PodCondition("ContainersReady", "False", "ContainersNotReady", message)
    return PodCondition("ContainersReady", "True")


def _told(unknown: list[str], bad: list[str], word: str) -> str:
    parts = [f"containers with unknown status: {_names(unknown)}"] if unknown else []
    parts += [f"containers with {word} status: {_names(bad)}"] if bad else []
    return ", ".join(parts)


def _ready(pod: Pod, containers_ready: PodCondition) -> PodCondition:
    if containers_ready.status != "True":
        return msgspec.structs.replace(containers_ready, type="Ready")
    found = {condition.type: condition.status for condition in pod.status.conditions or ()}
    missing = []
    for gate in pod.spec.readiness_gates or ():
        name = gate.condition_type
        if name not in found:
            missing.append(f'corresponding condition of pod readiness gate "{name}" does not exist.')
        elif found[name] != "True":
            missing.append(f'the status of pod readiness gate "{name}" is not "True", but {found[name]}')
    if missing:
        return PodCondition("Ready", "False", "ReadinessGatesNotReady", ", ".join(missing))
    return PodCondition("Ready", "True")


def _initialized(pod: Pod, told: Mapping[str, ContainerStatus], phase: str) -> PodCondition:
    unknown, incomplete = [], []
    for container in pod.spec.init_containers or ():
        status = told.get(container.name)
        if status is None:
            unknown.append(container.name)
        elif not (status.started if container.is_sidecar else status.ready):
            incomplete.append(container.name)
    if phase == "Succeeded" and not unknown:
        return PodCondition("Initialized", "True", "PodCompleted")
    mains = (told.get(container.name) for container in pod.spec.containers)
    if any(main and (main.started or main.state.terminated or main.last_state.terminated) for main in mains):
        return PodCondition("Initialized", "True")
    message = _told(unknown, incomplete, "incomplete")
    if message:
        return PodCondition("Initialized", "False", "ContainersNotInitialized", message)
    return PodCondition("Initialized", "True")
