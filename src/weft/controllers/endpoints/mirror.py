"""EndpointSlices that mirror an Endpoints object which someone wrote by hand for a Service without selector. Pure."""

from collections.abc import Mapping

from weft.addresses import Family, family, parse_address
from weft.cluster.objects.resource import ENDPOINTS
from weft.cluster.port import Object
from weft.controllers.endpoints.model import Group, PortKey, endpoint_key, port_key
from weft.controllers.endpoints.slices import Parent
from weft.controllers.owners import controller_reference

MANAGER = "endpointslicemirroring-controller.k8s.io"
LIMIT = 1000
_LEADER = "control-plane.alpha.kubernetes.io/leader"
_NOT_COPIED = frozenset({
    "endpoints.kubernetes.io/last-change-trigger-time", "kubectl.kubernetes.io/last-applied-configuration",
})  # fmt: skip


def is_mirrored(endpoints: Object | None, service: Object | None) -> bool:
    if endpoints is None or service is None or service["spec"].get("selector"):
        return False
    meta = endpoints["metadata"]
    skipped = (meta.get("labels") or {}).get("endpointslice.kubernetes.io/skip-mirror") == "true"
    return not skipped and _LEADER not in (meta.get("annotations") or {})


def parent_of(endpoints: Object) -> Parent:
    meta = endpoints["metadata"]
    copied = {name: value for name, value in (meta.get("annotations") or {}).items() if name not in _NOT_COPIED}
    return Parent(
        meta["namespace"],
        meta["name"],
        MANAGER,
        controller_reference(ENDPOINTS, endpoints),
        meta.get("labels") or {},
        annotations=copied,
        placeholder=False,
    )


def groups(endpoints: Object) -> Mapping[Family, Mapping[PortKey, Group]]:
    """The addresses by family and ports, at most 1,000 of each subset."""
    made: dict[Family, dict[PortKey, Group]] = {"IPv4": {}, "IPv6": {}}
    for subset in endpoints.get("subsets") or ():
        ports = [_port(entry) for entry in subset.get("ports") or ()]
        ready = [(entry, True) for entry in subset.get("addresses") or ()]
        waiting = [(entry, False) for entry in subset.get("notReadyAddresses") or ()]
        for entry, is_ready in [*ready, *waiting][:LIMIT]:
            try:
                address = parse_address(entry["ip"])
            except ValueError:
                continue
            group = made[family(address)].setdefault(port_key(ports), Group(ports))
            endpoint = _endpoint(entry, str(address), is_ready)
            group.endpoints.setdefault(endpoint_key(endpoint), endpoint)
    return made


def _port(entry: Object) -> Object:
    made = {"name": entry.get("name") or "", "protocol": entry.get("protocol") or "TCP", "port": entry["port"]}
    if entry.get("appProtocol"):
        made["appProtocol"] = entry["appProtocol"]
    return made


def _endpoint(entry: Object, address: str, ready: bool) -> Object:
    made: Object = {"addresses": [address], "conditions": {"ready": ready}}
    for name in ("hostname", "targetRef", "nodeName"):
        if entry.get(name):
            made[name] = entry[name]
    return made
