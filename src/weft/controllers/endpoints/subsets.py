"""The legacy Endpoints object of a Service: ready and not-ready addresses in subsets of equal ports. Pure."""

from collections.abc import Iterable
from typing import Any

from weft.addresses import parse_address
from weft.cluster.port import Object
from weft.controllers.endpoints.model import (
    belongs,
    families,
    is_headless,
    pod_addresses,
    port_key,
    ports_of,
    published_hostname,
    target_reference,
)
from weft.controllers.endpoints.slices import HEADLESS
from weft.controllers.pods import is_ready

MANAGED_BY = "endpoints.kubernetes.io/managed-by"
MANAGER = "endpoint-controller"
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
CAPACITY = 1000


def endpoints_of(service: Object, pods: Iterable[Object], old: Object | None) -> Object:
    """The Endpoints object; equal to `old` where nothing has changed."""
    meta = service["metadata"]
    subsets, cut = truncated(subsets_of(service, pods))
    labels = {**(meta.get("labels") or {}), MANAGED_BY: MANAGER}
    labels.pop(HEADLESS, None)
    if is_headless(service):
        labels[HEADLESS] = ""
    base = old or {"metadata": {"name": meta["name"], "namespace": meta["namespace"]}}
    annotations = {k: v for k, v in (base["metadata"].get("annotations") or {}).items() if k != OVER_CAPACITY}
    if cut:
        annotations[OVER_CAPACITY] = "truncated"
    made_meta = {**base["metadata"], "labels": labels}
    made_meta.pop("annotations", None)
    if annotations:
        made_meta["annotations"] = annotations
    made = {key: value for key, value in base.items() if key != "subsets"}
    return {**made, "metadata": made_meta, **({"subsets": subsets} if subsets else {})}


def subsets_of(service: Object, pods: Iterable[Object]) -> list[Object]:
    """Addresses of the primary family, grouped by their ports, in a stable order."""
    spec = service["spec"]
    publish, primary = bool(spec.get("publishNotReadyAddresses")), families(service)[0]
    packed: dict[Any, Object] = {}
    for pod in pods:
        addresses = pod_addresses(pod, primary)
        ports = ports_of(service, pod)
        if not belongs(pod, terminating=publish) or not addresses:
            continue
        if not ports and not (is_headless(service) and not spec.get("ports")):
            continue
        subset = packed.setdefault(port_key(ports), {"ports": ports})
        ready = publish or is_ready(pod)
        subset.setdefault("addresses" if ready else "notReadyAddresses", []).append(
            _address(service, pod, addresses[0])
        )
    for subset in packed.values():
        for name in ("addresses", "notReadyAddresses"):
            if name in subset:
                subset[name].sort(key=lambda entry: int(parse_address(entry["ip"])))
        subset["ports"] = sorted(subset["ports"], key=lambda port: (port["name"], port["port"]))
        for port in subset["ports"]:
            if not port["name"]:
                del port["name"]
        if not subset["ports"]:
            del subset["ports"]
    return [packed[key] for key in sorted(packed)]


def _address(service: Object, pod: Object, ip: str) -> Object:
    made: Object = {"ip": ip}
    if hostname := published_hostname(service, pod):
        made["hostname"] = hostname
    if node := pod["spec"].get("nodeName"):
        made["nodeName"] = node
    made["targetRef"] = target_reference(pod)
    return made


def truncated(subsets: list[Object], capacity: int = CAPACITY) -> tuple[list[Object], bool]:
    """At most `capacity` addresses, ready ones first; whether any had to go."""
    total = sum(len(s.get("addresses", ())) + len(s.get("notReadyAddresses", ())) for s in subsets)
    if total <= capacity:
        return subsets, False
    left = capacity
    cut: list[Object] = [{key: value for key, value in s.items() if key == "ports"} for s in subsets]
    for name in ("addresses", "notReadyAddresses"):
        for subset, whole in zip(cut, subsets, strict=True):
            if kept := whole.get(name, [])[:left]:
                subset[name] = kept
                left -= len(kept)
    return [s for s in cut if "addresses" in s or "notReadyAddresses" in s], True
