"""Which pods stand behind a Service, at which addresses and ports, in which condition ("EndpointSlices"). Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from weft.addresses import Family, family, parse_address
from weft.cluster.port import Object
from weft.controllers.pods import is_finished, is_ready

ZONE = "topology.kubernetes.io/zone"
_CLOSE = frozenset({"PreferClose", "PreferSameZone", "PreferSameNode"})

PortKey = tuple[tuple[str, str, int, str], ...]
"""(name, protocol, number, application protocol) of every port, sorted: what a slice's endpoints have in common."""
EndpointKey = tuple[str, ...]


@dataclass(slots=True)
class Group:
    """Endpoints that have the same ports: they can share slices."""

    ports: list[Object]
    endpoints: dict[EndpointKey, Object] = field(default_factory=dict)


def is_selected_by_pods(service: Object) -> bool:
    """Whether this Service's endpoints are made from pods: the others' are written by hand, or there are none."""
    spec = service["spec"]
    return bool(spec.get("selector")) and spec.get("type") != "ExternalName"


def is_headless(service: Object) -> bool:
    return service["spec"].get("clusterIP") in (None, "", "None")


def families(service: Object) -> tuple[Family, ...]:
    """The address families that the Service speaks, the primary one first."""
    spec = service["spec"]
    if told := spec.get("ipFamilies"):
        return tuple(told)
    if not is_headless(service):
        return (family(parse_address(spec["clusterIP"])),)
    return ("IPv4", "IPv6")


def pod_addresses(pod: Object, wanted: Family) -> list[str]:
    status = pod.get("status") or {}
    told = [entry["ip"] for entry in status.get("podIPs") or ()] or list(filter(None, [status.get("podIP")]))
    return [text for text in told if _family_of(text) == wanted]


@lru_cache(8192)
def _family_of(text: str) -> Family | None:
    try:
        return family(parse_address(text))
    except ValueError:
        return None


def belongs(pod: Object, *, terminating: bool) -> bool:
    """Whether the pod has a place among endpoints; those that are going away only where `terminating` are kept."""
    status = pod.get("status") or {}
    if is_finished(pod) or not (status.get("podIPs") or status.get("podIP")):
        return False
    return terminating or not pod["metadata"].get("deletionTimestamp")


def ports_of(service: Object, pod: Object) -> list[Object]:
    """The Service's ports as this pod serves them; a named target port that the pod does not have is left out."""
    found = []
    for port in service["spec"].get("ports") or ():
        number = _target(port, pod)
        if number is not None:
            entry = {"name": port.get("name") or "", "protocol": port.get("protocol") or "TCP", "port": number}
            if port.get("appProtocol"):
                entry["appProtocol"] = port["appProtocol"]
            found.append(entry)
    return found


def _target(port: Mapping[str, Any], pod: Object) -> int | None:
    target = port.get("targetPort")
    if not isinstance(target, str):
        return int(target or port["port"])
    spec = pod["spec"]
    sidecars = (each for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always")
    for container in [*spec["containers"], *sidecars]:
        for entry in container.get("ports") or ():
            same = (entry.get("protocol") or "TCP") == (port.get("protocol") or "TCP")
            if entry.get("name") == target and same:
                return int(entry["containerPort"])
    return None


def port_key(ports: Iterable[Mapping[str, Any]] | None) -> PortKey:
    return tuple(
        sorted(
            (p.get("name") or "", p.get("protocol") or "TCP", p.get("port") or 0, p.get("appProtocol") or "")
            for p in ports or ()
        )
    )


def endpoint_key(endpoint: Mapping[str, Any]) -> EndpointKey:
    """What makes an endpoint the same one before and after a change of its condition."""
    return ((endpoint.get("targetRef") or {}).get("uid", ""), *endpoint["addresses"])


def groups(service: Object, pods: Iterable[Object], zones: Mapping[str, str], wanted: Family) -> dict[PortKey, Group]:
    """All endpoints of the Service in one family. `zones` maps each node to its zone ("" where it has none).

    A pod on a node that does not exist is left out, unless not-ready addresses are to be published.
    """
    made: dict[PortKey, Group] = {}
    publish = bool(service["spec"].get("publishNotReadyAddresses"))
    for pod in pods:
        node = pod["spec"].get("nodeName", "")
        if not belongs(pod, terminating=True) or not (publish or node in zones):
            continue
        ports = ports_of(service, pod)
        group = made.setdefault(port_key(ports), Group(ports))
        endpoint = endpoint_of(service, pod, zones.get(node, ""), wanted)
        if endpoint["addresses"]:
            group.endpoints[endpoint_key(endpoint)] = endpoint
    return made


def endpoint_of(service: Object, pod: Object, zone: str, wanted: Family) -> Object:
    """The pod as an endpoint of the Service (discovery.k8s.io/v1 Endpoint)."""
    spec = service["spec"]
    serving, terminating = is_ready(pod), bool(pod["metadata"].get("deletionTimestamp"))
    ready = bool(spec.get("publishNotReadyAddresses")) or (serving and not terminating)
    made: Object = {
        "addresses": pod_addresses(pod, wanted),
        "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
    }
    if hostname := published_hostname(service, pod):
        made["hostname"] = hostname
    made["targetRef"] = target_reference(pod)
    if node := pod["spec"].get("nodeName"):
        made["nodeName"] = node
    if zone:
        made["zone"] = zone
    distribution = spec.get("trafficDistribution")
    if distribution in _CLOSE and ready:
        hints: Object = {}
        if zone:
            hints["forZones"] = [{"name": zone}]
        if node and distribution == "PreferSameNode":
            hints["forNodes"] = [{"name": node}]
        if hints:
            made["hints"] = hints
    return made


def published_hostname(service: Object, pod: Object) -> str:
    """The pod's own name under a headless Service that is its subdomain ("DNS for Services and Pods")."""
    spec, meta = pod["spec"], service["metadata"]
    same = spec.get("subdomain") == meta["name"] and pod["metadata"]["namespace"] == meta["namespace"]
    return (spec.get("hostname") or "") if same else ""


def target_reference(pod: Object) -> Object:
    meta = pod["metadata"]
    return {"kind": "Pod", "namespace": meta["namespace"], "name": meta["name"], "uid": meta.get("uid", "")}


def essence(pod: Object) -> tuple[Any, ...]:
    """All of the pod that endpoints tell: while it stays the same, no Service must look again."""
    meta, spec, status = pod["metadata"], pod["spec"], pod.get("status") or {}
    return (
        meta.get("labels"),
        bool(meta.get("deletionTimestamp")),
        meta.get("uid"),
        spec.get("nodeName"),
        spec.get("hostname"),
        spec.get("subdomain"),
        status.get("podIPs") or status.get("podIP"),
        is_ready(pod),
        is_finished(pod),
    )
