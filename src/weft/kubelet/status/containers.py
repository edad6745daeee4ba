"""Statuses of a pod's containers, from the runtime's records and the statuses told before. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from weft.cluster.objects.container import (
    Container,
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
)
from weft.cluster.objects.pod import Pod
from weft.kubelet.cri.model import ContainerRecord, PodRecord
from weft.kubelet.pods.decide import Waiting, should_restart

LOST = 137
"""Exit code of a container of which nothing is known but that it is gone."""


@dataclass(frozen=True, slots=True)
class Health:
    """What the probes say, by container id."""

    started: frozenset[str] = frozenset()
    """Running, and past the startup probe."""
    ready: frozenset[str] = frozenset()
    """Running, started, and the last readiness probe succeeded (or there is none)."""


@dataclass(frozen=True, slots=True)
class View:
    """All that the statuses of one pod's containers are made of."""

    pod: Pod
    record: PodRecord
    waiting: Mapping[str, Waiting] = field(default_factory=dict)
    health: Health = Health()
    runtime: str = "containerd"


def rfc3339(seconds: float) -> str | None:
    """A metav1.Time; None for a time that has not come."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else None


def container_statuses(
    view: View, containers: Sequence[Container], old: Sequence[ContainerStatus], *, init: bool = False
) -> tuple[ContainerStatus, ...]:
    """One status for each container, in the order given."""
    told = {status.name: status for status in old}
    return tuple(_status(view, container, told.get(container.name), init) for container in containers)


def _status(view: View, container: Container, old: ContainerStatus | None, init: bool) -> ContainerStatus:
    attempts = [record for record in view.record.containers if record.name == container.name]
    status = _of_record(view, attempts[0]) if attempts else _of_nothing(view, container, old, init)
    if len(attempts) > 1:
        status = msgspec.structs.replace(status, last_state=_state(view, attempts[1]))
    elif attempts and old is not None and old.restart_count == status.restart_count:
        status = msgspec.structs.replace(status, last_state=old.last_state)
    latest = attempts[0] if attempts else None
    if init and latest is not None and not container.is_sidecar:
        done = latest.phase == "exited" and latest.exit_code == 0
        status = msgspec.structs.replace(status, ready=done)
    waiting = view.waiting.get(container.name)
    if waiting is None or not should_restart(view.pod, container, latest):
        return status
    last = status.state if status.state.terminated else status.last_state
    state = ContainerState(waiting=ContainerStateWaiting(waiting.reason, waiting.message))
    return msgspec.structs.replace(status, state=state, last_state=last, ready=False, started=False)


def _of_record(view: View, record: ContainerRecord) -> ContainerStatus:
    running = record.phase == "running"
    return ContainerStatus(
        name=record.name,
        state=_state(view, record),
        ready=running and record.id in view.health.ready,
        restart_count=record.attempt,
        image=record.image,
        image_id=record.image_ref,
        container_id=f"{view.runtime}://{record.id}",
        started=running and record.id in view.health.started,
    )


def _state(view: View, record: ContainerRecord) -> ContainerState:
    if record.phase == "running":
        return ContainerState(running=ContainerStateRunning(rfc3339(record.started_at)))
    if record.phase != "exited":
        return ContainerState(waiting=ContainerStateWaiting())
    return ContainerState(
        terminated=ContainerStateTerminated(
            exit_code=record.exit_code,
            reason=record.reason or ("Completed" if record.exit_code == 0 else "Error"),
            message=record.message,
            started_at=rfc3339(record.started_at),
            finished_at=rfc3339(record.finished_at),
            container_id=f"{view.runtime}://{record.id}",
        )
    )


def _of_nothing(view: View, container: Container, old: ContainerStatus | None, init: bool) -> ContainerStatus:
    """The runtime knows no attempt (any more): it is yet to come, is over, or was lost."""
    reason = "PodInitializing" if view.pod.spec.init_containers else "ContainerCreating"
    status = ContainerStatus(
        name=container.name,
        image=container.image,
        state=ContainerState(waiting=ContainerStateWaiting(reason)),
        started=False,
    )
    if old is None:
        over = any(view.record.latest(main.name) for main in view.pod.spec.containers)
        if init and over and not container.is_sidecar:
            return msgspec.structs.replace(status, state=_unseen_init(), ready=True)
        return status
    if old.state.terminated:
        return msgspec.structs.replace(old, ready=init and old.state.terminated.exit_code == 0, started=False)
    status = msgspec.structs.replace(status, restart_count=old.restart_count, last_state=old.last_state)
    if old.state.running is None or old.last_state.terminated:
        return status
    lost = ContainerStateTerminated(
        exit_code=LOST,
        reason="ContainerStatusUnknown",
        message="The container could not be located when the pod was deleted.  The container used to be Running",
    )
    count = old.restart_count + (0 if view.pod.is_deleting else 1)
    return msgspec.structs.replace(status, last_state=ContainerState(terminated=lost), restart_count=count)


def _unseen_init() -> ContainerState:
    message = (
        "Unable to get init container status from container runtime and pod has been initialized, "
        "treat it as exited normally"
    )
    return ContainerState(terminated=ContainerStateTerminated(reason="Completed", message=message))
