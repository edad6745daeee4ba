"""From requests and limits to what the kernel understands: QoS class, shares, quota, limits, OOM score. Pure."""

from collections.abc import Mapping
from typing import Any

from weft.cluster.objects.container import Container, Quantity
from weft.cluster.objects.pod import Pod
from weft.cluster.objects.quantity import milli, parse_quantity, whole

GUARANTEED, BURSTABLE, BEST_EFFORT = "Guaranteed", "Burstable", "BestEffort"
MIN_SHARES, MAX_SHARES = 2, 262144
PERIOD = 100_000
_MIN_QUOTA = 1_000
_GUARANTEED_OOM, _BEST_EFFORT_OOM = -997, 1000


def qos_class(pod: Pod) -> str:
    """Guaranteed: each container has equal limits and requests for CPU and memory; BestEffort: none has any.

    A limit without a request counts as both ("Pod Quality of Service Classes").
    """
    containers = (*(pod.spec.init_containers or ()), *pod.spec.containers)
    guaranteed, best_effort = bool(containers), True
    for container in containers:
        limits, requests = container.resources.limits or {}, container.resources.requests or {}
        for name in ("cpu", "memory"):
            limit = parse_quantity(limits.get(name, 0))
            request = parse_quantity(requests.get(name, limits.get(name, 0)))
            best_effort = best_effort and not limit and not request
            guaranteed = guaranteed and limit > 0 and limit == request
    return GUARANTEED if guaranteed else BEST_EFFORT if best_effort else BURSTABLE


def requests_of(container: Container) -> dict[str, Quantity]:
    """What is asked for; where only a limit is given, that is the request, too."""
    return {**(container.resources.limits or {}), **(container.resources.requests or {})}


def shares(milli_cpu: int) -> int:
    return max(MIN_SHARES, min(MAX_SHARES, milli_cpu * 1024 // 1000))


def quota(milli_cpu: int) -> int:
    """Microseconds of CPU time in each PERIOD; 0: no limit."""
    return max(_MIN_QUOTA, milli_cpu * PERIOD // 1000) if milli_cpu else 0


def oom_score_adj(pod: Pod, container: Container, memory_capacity: int) -> int:
    """Who dies first when memory runs out: the less a container asked for, the sooner ("Node-pressure Eviction")."""
    if (pod.spec.priority or 0) >= 2_000_000_000:
        return _GUARANTEED_OOM
    kind = qos_class(pod)
    if kind == GUARANTEED:
        return _GUARANTEED_OOM
    if kind == BEST_EFFORT:
        return _BEST_EFFORT_OOM
    request = whole(requests_of(container).get("memory", 0))
    score = 1000 - 1000 * request // max(memory_capacity, 1)
    return min(max(score, 1000 + _GUARANTEED_OOM), _BEST_EFFORT_OOM - 1)


def container_resources(
    pod: Pod, container: Container, memory_capacity: int, cgroup_files: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """runtime.v1 LinuxContainerResources. `cgroup_files`: what each container's group holds besides, by file name."""
    limits = container.resources.limits or {}
    made: dict[str, Any] = {
        "cpu_shares": shares(milli(requests_of(container).get("cpu", 0))),
        "oom_score_adj": oom_score_adj(pod, container, memory_capacity),
    }
    if (cpu := milli(limits.get("cpu", 0))) > 0:
        made |= {"cpu_quota": quota(cpu), "cpu_period": PERIOD}
    if (memory := whole(limits.get("memory", 0))) > 0:
        made["memory_limit_in_bytes"] = memory
    if cgroup_files:
        made["unified"] = dict(cgroup_files)
    return made


def pod_resources(pod: Pod) -> dict[str, int]:
    """Limits of the pod's own cgroup: `shares`, and where every container is limited, `quota` and `memory`."""
    request = _effective(pod, [requests_of(c) for c in pod.spec.containers], "cpu")
    made = {"shares": shares(request)}
    limits: list[Mapping[str, Quantity]] = [c.resources.limits or {} for c in pod.spec.containers]
    if all(limit.get("cpu") for limit in limits) and limits:
        made["quota"] = quota(_effective(pod, limits, "cpu"))
    if all(limit.get("memory") for limit in limits) and limits:
        made["memory"] = sum(whole(limit["memory"]) for limit in limits)
    if qos_class(pod) == BEST_EFFORT:
        made = {"shares": MIN_SHARES}
    return made


def _effective(pod: Pod, parts: list[Mapping[str, Quantity]] | list[dict[str, Quantity]], name: str) -> int:
    return sum(milli(part.get(name, 0)) for part in parts) + milli((pod.spec.overhead or {}).get(name, 0))


def cgroup_parent(root: str, pod: Pod) -> str:
    """`ROOT/kubepods[/burstable|/besteffort]/podUID`, as the kubelet's cgroupfs driver lays it out."""
    kind = {GUARANTEED: "", BURSTABLE: "/burstable", BEST_EFFORT: "/besteffort"}[qos_class(pod)]
    return f"{root.rstrip('/')}/kubepods{kind}/pod{pod.metadata.uid}"
