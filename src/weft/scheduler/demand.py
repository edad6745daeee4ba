"""What a pod asks of a node: resources, host ports ("Resource Management for Pods and Containers", KEP-753). Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from weft.cluster.objects.quantity import milli, whole
from weft.scheduler.objects import Container, Pod, Quantities

Amounts = dict[str, int]
"""Resource name → CPU in thousandths of a core, all others in whole units (bytes, pieces)."""
HostPort = tuple[str, str, int]
"""(address, protocol, number); 0.0.0.0 stands for every address."""

DEFAULT_CPU = 100
DEFAULT_MEMORY = 200 * 2**20
"""What a container that asks for nothing counts as, in scores only: so that they spread all the same."""


@dataclass(frozen=True, slots=True)
class Demand:
    requests: Amounts
    cpu: int
    """For scores: with the defaults."""
    memory: int
    ports: frozenset[HostPort]


def demand_of(pod: Pod) -> Demand:
    spec = pod.spec
    ports = frozenset(
        (port.host_ip or "0.0.0.0", port.protocol, port.host_port)
        for container in spec.containers
        for port in container.ports or ()
        if port.host_port
    )
    scored = _total(pod, {"cpu": DEFAULT_CPU, "memory": DEFAULT_MEMORY})
    return Demand(_total(pod, {}), scored.get("cpu", 0), scored.get("memory", 0), ports)


def amounts(quantities: Quantities | None) -> Amounts:
    made: Amounts = {}
    for name, value in (quantities or {}).items():
        try:
            made[name] = milli(value) if name == "cpu" else whole(value)
        except ValueError:
            continue  # the API server lets none through
    return made


def _total(pod: Pod, defaults: Mapping[str, int]) -> Amounts:
    """The most that is asked for at any time: init containers run one by one, sidecars stay beside what follows."""
    spec = pod.spec
    sidecars: Amounts = {}
    peak: Amounts = {}
    for container in spec.init_containers or ():
        asked = _asked(container, defaults)
        if container.restart_policy == "Always":
            _add(sidecars, asked)
            asked = {}
        _most(peak, _sum((sidecars, asked)))
    _most(peak, _sum([sidecars, *(_asked(container, defaults) for container in spec.containers)]))
    if spec.resources is not None and spec.resources.requests:
        peak.update(amounts(spec.resources.requests))
    _add(peak, amounts(spec.overhead))
    return peak


def _asked(container: Container, defaults: Mapping[str, int]) -> Amounts:
    return {**defaults, **amounts(container.resources.requests if container.resources else None)}


def _sum(parts: Iterable[Amounts]) -> Amounts:
    total: Amounts = {}
    for part in parts:
        _add(total, part)
    return total


def _add(total: Amounts, part: Amounts) -> None:
    for name, value in part.items():
        total[name] = total.get(name, 0) + value


def _most(total: Amounts, other: Amounts) -> None:
    for name, value in other.items():
        total[name] = max(total.get(name, 0), value)


def ports_conflict(one: HostPort, other: HostPort) -> bool:
    same = one[1:] == other[1:]
    return same and (one[0] == other[0] or "0.0.0.0" in (one[0], other[0]))
