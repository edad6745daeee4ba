"""What a pod needs next, from what was asked for and what the runtime holds. Pure; the worker carries it out.

    pod + record + failing probes + now ──► Decision(sandbox? containers to kill, to start, to wait for, until when)

Level-triggered: any state may come in, also one that a killed agent left behind ("Pod Lifecycle", "Init Containers",
"Sidecar Containers").
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from weft.cluster.objects.container import Container
from weft.cluster.objects.pod import Pod
from weft.kubelet.cri.model import ContainerRecord, PodRecord
from weft.kubelet.pods.backoff import Backoff, words
from weft.kubelet.pods.identity import container_hash, pod_key


@dataclass(frozen=True, slots=True)
class Start:
    container: Container
    attempt: int
    failed_at: float = 0.0
    """When the attempt before ended, 0 where there was none."""
    leftover: str = ""
    """Id of a container that was created for this attempt, but never started."""


@dataclass(frozen=True, slots=True)
class Kill:
    record: ContainerRecord
    message: str
    grace: int | None = None
    """Seconds that replace the pod's own grace period."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a container does not run (ContainerStateWaiting)."""

    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    kill_pod: bool = False
    """Nothing of the pod will run any more: its sandbox goes."""
    sandbox_attempt: int | None = None
    """Number of the sandbox to make, after all of the old one is gone; None: the one there serves."""
    kill: tuple[Kill, ...] = ()
    start: tuple[Start, ...] = ()
    waiting: Mapping[str, Waiting] = field(default_factory=dict)
    """By container: in back-off, told so in its status."""
    wake_at: float | None = None
    """When the first back-off ends."""


@dataclass(slots=True)
class _Draft:
    pod: Pod
    record: PodRecord
    failing: Mapping[str, Kill]
    started: frozenset[str]
    backoff: Backoff
    now: float
    kill: list[Kill] = field(default_factory=list)
    start: list[Start] = field(default_factory=list)
    waiting: dict[str, Waiting] = field(default_factory=dict)
    wake_at: float | None = None
    kept: int = 0


def decide(
    pod: Pod,
    record: PodRecord,
    *,
    now: float,
    backoff: Backoff,
    failing: Mapping[str, Kill] | None = None,
    started: frozenset[str] = frozenset(),
) -> Decision:
    """`failing`: by container id, what a failed probe asks for; `started`: ids that are past their startup probe."""
    draft = _Draft(pod, record, failing or {}, started, backoff, now)
    attempt = _new_sandbox_attempt(pod, record)
    if attempt is not None:
        return _with_new_sandbox(draft, attempt)
    if not _initialise(draft):
        return Decision(kill_pod=True)
    if not draft.start and not draft.waiting and not draft.kept and not draft.kill:
        return Decision(kill_pod=True)
    return Decision(False, None, tuple(draft.kill), tuple(draft.start), draft.waiting, draft.wake_at)


def _new_sandbox_attempt(pod: Pod, record: PodRecord) -> int | None:
    ready = [sandbox for sandbox in record.sandboxes if sandbox.ready]
    newest = record.sandbox
    if newest is None:
        return 0
    if len(ready) > 1 or not newest.ready:
        return newest.attempt + 1
    if newest.host_network != pod.spec.host_network or not (pod.spec.host_network or newest.addresses):
        return newest.attempt + 1
    return None


def _with_new_sandbox(draft: _Draft, attempt: int) -> Decision:
    """All containers went with the old sandbox: begin again, with the init containers if there are any."""
    pod, record = draft.pod, draft.record
    if pod.spec.restart_policy == "Never" and attempt and record.containers:
        return Decision(kill_pod=True)  # what ran once must not run twice
    if not any(should_restart(pod, c, record.latest(c.name), sandbox_lost=True) for c in pod.spec.containers):
        return Decision(kill_pod=True)
    first = (pod.spec.init_containers or ())[:1]
    for container in first or pod.spec.containers:
        latest = record.latest(container.name)
        if first or should_restart(pod, container, latest, sandbox_lost=True):
            draft.start.append(_start(container, latest))
    return Decision(sandbox_attempt=attempt, start=tuple(draft.start))


def _initialise(draft: _Draft) -> bool:
    """Init containers one after the other, then all others at once. False: the pod has failed."""
    pod, record = draft.pod, draft.record
    initialised = any(record.latest(container.name) for container in pod.spec.containers)
    sandbox = record.sandbox
    here = {c.name for c in record.containers if sandbox is None or c.sandbox_id == sandbox.id}
    initialised = initialised and any(container.name in here for container in pod.spec.containers)
    for container in pod.spec.init_containers or ():
        if container.is_sidecar:
            done = _keep_running(draft, container) or initialised
        elif initialised:
            done = True
        else:
            verdict = _run_once(draft, container, container.name in here)
            if verdict is None:
                return False
            done = verdict
        if not done:
            return True
    for container in pod.spec.containers:
        _keep_running(draft, container)
    for container in pod.spec.ephemeral_containers or ():
        if record.latest(container.name) is None:
            draft.start.append(Start(container, 0))
    if pod.spec.restart_policy != "Always":
        _end_sidecars(draft)
    return True


def _run_once(draft: _Draft, container: Container, here: bool) -> bool | None:
    """True: it has succeeded. False: wait for it. None: it has failed for good."""
    latest = draft.record.latest(container.name)
    if latest is None or not here or latest.phase in ("created", "unknown"):
        draft.start.append(_start(container, latest))
        return False
    if latest.phase == "running":
        draft.kept += 1
        return False
    if latest.exit_code == 0:
        return True
    if draft.pod.spec.restart_policy == "Never":
        return None
    _restart(draft, container, latest)
    return False


def _keep_running(draft: _Draft, container: Container) -> bool:
    """Starts, restarts or leaves alone. True where it runs and is past its startup probe."""
    latest = draft.record.latest(container.name)
    if latest is not None and latest.phase == "running":
        return _judge_running(draft, container, latest)
    if should_restart(draft.pod, container, latest):
        _restart(draft, container, latest)
    return False


def _judge_running(draft: _Draft, container: Container, latest: ContainerRecord) -> bool:
    reason = draft.failing.get(latest.id)
    if latest.hash and latest.hash != container_hash(container):
        reason = Kill(latest, f"Container {container.name} definition changed, will be restarted")
    if reason is None:
        draft.kept += 1
        return container.startup_probe is None or latest.id in draft.started
    draft.kill.append(reason)
    if draft.pod.spec.restart_policy == "Never" and not container.is_sidecar:
        return False
    draft.kept += 1  # the next round, after its death, starts it again
    return False


def _restart(draft: _Draft, container: Container, latest: ContainerRecord | None) -> None:
    if latest is not None and latest.phase == "exited":
        key = backoff_key(draft.pod, container)
        until = draft.backoff.until(key, latest.finished_at)
        if until > draft.now:
            delay = words(draft.backoff.delay(key))
            text = f"back-off {delay} restarting failed container={container.name} pod={pod_key(draft.pod)}"
            draft.waiting[container.name] = Waiting("CrashLoopBackOff", text)
            draft.wake_at = until if draft.wake_at is None else min(until, draft.wake_at)
            return
    draft.start.append(_start(container, latest))


def _start(container: Container, latest: ContainerRecord | None) -> Start:
    if latest is None:
        return Start(container, 0)
    if latest.phase == "created":
        return Start(container, latest.attempt, leftover=latest.id)
    return Start(container, latest.attempt + 1, failed_at=latest.finished_at)


def _end_sidecars(draft: _Draft) -> None:
    """Sidecars do not keep a pod alive whose own containers are all done."""
    names = {container.name for container in draft.pod.spec.init_containers or () if container.is_sidecar}
    if not names:
        return
    mains = [draft.record.latest(container.name) for container in draft.pod.spec.containers]
    done = all(main is not None and main.phase == "exited" for main in mains)
    if done and not draft.waiting and not any(start.container.name not in names for start in draft.start):
        draft.kept, draft.start, draft.kill = 0, [], []


def should_restart(
    pod: Pod, container: Container, latest: ContainerRecord | None, *, sandbox_lost: bool = False
) -> bool:
    """Whether the container is to be started (again), by the pod's restartPolicy and its own."""
    if pod.is_deleting:
        return False
    if latest is None or latest.phase in ("created", "unknown"):
        return True
    if latest.phase == "running":
        return sandbox_lost
    policy = "Always" if container.is_sidecar else pod.spec.restart_policy
    return policy == "Always" or (policy == "OnFailure" and latest.exit_code != 0)


def backoff_key(pod: Pod, container: Container) -> str:
    return f"{pod.metadata.uid}/{container.name}/{container_hash(container)}"
