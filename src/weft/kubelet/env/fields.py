"""Fields of the pod and resources of a container as text: the downward API. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from weft.cluster.objects.container import ResourceFieldSelector
from weft.cluster.objects.pod import Pod
from weft.cluster.objects.quantity import parse_quantity
from weft.kubelet.pods.identity import find_container
from weft.kubelet.pods.resources import requests_of

_KEYED = re.compile(r"metadata\.(labels|annotations)\['(.*)'\]")


@dataclass(frozen=True, slots=True)
class Placement:
    """What of a pod is known only on its node."""

    node_name: str
    host_addresses: tuple[str, ...]
    addresses: tuple[str, ...] = ()
    allocatable: Mapping[str, str] | None = None
    """The node's, which stands in for absent limits."""


class FieldError(ValueError):
    """The field does not exist, or is not one that may be referred to."""


def field_value(pod: Pod, path: str, placement: Placement) -> str:
    """The text of the field at `path` ("Downward API", "Available fields"). Raises FieldError."""
    meta = pod.metadata
    if match := _KEYED.fullmatch(path):
        values = meta.labels if match[1] == "labels" else meta.annotations
        return (values or {}).get(match[2], "")
    if path == "metadata.labels":
        return map_text(meta.labels or {})
    if path == "metadata.annotations":
        return map_text(meta.annotations or {})
    simple = {
        "metadata.name": meta.name,
        "metadata.namespace": meta.namespace,
        "metadata.uid": meta.uid,
        "spec.nodeName": placement.node_name,
        "spec.serviceAccountName": pod.spec.service_account_name,
        "status.hostIP": placement.host_addresses[0] if placement.host_addresses else "",
        "status.hostIPs": ",".join(placement.host_addresses),
        "status.podIP": placement.addresses[0] if placement.addresses else "",
        "status.podIPs": ",".join(placement.addresses),
    }
    if path not in simple:
        raise FieldError(f"unsupported fieldPath: {path}")
    return simple[path]


def map_text(values: Mapping[str, str]) -> str:
    """Labels or annotations as a downward API file holds them: `key="value"`, sorted, quoted as Go quotes."""
    return "\n".join(f"{key}={_quoted(value)}" for key, value in sorted(values.items()))


def _quoted(text: str) -> str:
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    parts = (escapes.get(c) or (c if c.isprintable() else f"\\u{ord(c):04x}") for c in text)
    return f'"{"".join(parts)}"'


def resource_value(pod: Pod, selector: ResourceFieldSelector, container_name: str, placement: Placement) -> str:
    """A request or limit in units of the divisor, rounded up; a missing limit is what the node can give."""
    container = find_container(pod, selector.container_name or container_name)
    if container is None:
        raise FieldError(f"container {selector.container_name} not found")
    kind, _, name = selector.resource.partition(".")
    if kind not in ("limits", "requests") or not name:
        raise FieldError(f"unsupported container resource : {selector.resource}")
    limit = (container.resources.limits or {}).get(name) or (placement.allocatable or {}).get(name, 0)
    value = requests_of(container).get(name, 0) if kind == "requests" else limit
    divisor = parse_quantity(selector.divisor or 1) or parse_quantity(1)
    units = parse_quantity(value) / divisor
    return str(-(-units.numerator // units.denominator))
