"""A pod's phase, from its containers' statuses ("Pod Lifecycle", "Pod phase"). Pure."""

from collections import Counter
from collections.abc import Iterable

from weft.cluster.objects.container import Container, ContainerStatus
from weft.cluster.objects.pod import Pod


def pod_phase(pod: Pod, statuses: Iterable[ContainerStatus], *, over: bool = False) -> str:
    """`over`: nothing of the pod will be started again, whatever its restartPolicy."""
    told = {status.name: status for status in statuses}
    count: Counter[str] = Counter()
    for container in pod.spec.containers:
        count.update(_kinds(pod, told.get(container.name)))
    initialised = count["running"] + count["stopped"] > 0
    for container in pod.spec.init_containers or ():
        verdict = _init(pod, container, told.get(container.name), initialised)
        if verdict == "failed":
            return "Failed"
        count[verdict] += 1
    return _judge(count, over)


def _judge(count: Counter[str], over: bool) -> str:
    if count["pending"] or count["waiting"] or count["unknown"]:
        return "Pending"
    if count["running"] or count["sidecar"]:
        return "Running"
    if not count["stopped"]:
        return "Pending"
    if count["restartable"] and not over:
        return "Running"
    return "Succeeded" if count["stopped"] == count["succeeded"] else "Failed"


def _kinds(pod: Pod, status: ContainerStatus | None) -> tuple[str, ...]:
    """running, waiting or unknown; or stopped, with succeeded and restartable where they apply."""
    if status is None:
        return ("unknown",)
    if status.state.running:
        return ("running",)
    ended = status.state.terminated or status.last_state.terminated
    if ended is None:
        return ("waiting",) if status.state.waiting else ("unknown",)
    policy = pod.spec.restart_policy
    again = policy == "Always" or (policy == "OnFailure" and ended.exit_code != 0)
    return ("stopped", *(() if ended.exit_code else ("succeeded",)), *(("restartable",) if again else ()))


def _init(pod: Pod, container: Container, status: ContainerStatus | None, initialised: bool) -> str:
    """failed, pending, done; and `sidecar` for one that runs."""
    if container.is_sidecar:
        if status is None:
            return "done" if initialised else "pending"
        if status.state.running:
            return "sidecar" if status.started or initialised else "pending"
        ended = status.state.terminated or status.last_state.terminated
        return "done" if ended or initialised else "pending"
    ended = (status.state.terminated or status.last_state.terminated) if status else None
    if ended is not None and ended.exit_code and pod.spec.restart_policy == "Never":
        return "failed"
    # An init container that failed and waits for its next attempt keeps the others waiting: they say "pending".
    return "done" if ended is not None and not (status and status.state.running) else "pending"
