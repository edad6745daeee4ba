"""What every cluster begins with: namespaces, the roles of access control, and the Service `kubernetes`."""

import logging
from ipaddress import ip_address
from typing import Any

from weft.addresses import Prefix, family, nth_subnet
from weft.apiserver import auth
from weft.apiserver.auth.access import User
from weft.apiserver.registry.kind import Object
from weft.apiserver.registry.registry import Change, Registry
from weft.cluster.objects.resource import ENDPOINT_SLICES, ENDPOINTS, NAMESPACES, SERVICES, Resource

log = logging.getLogger(__name__)

_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
_SELF = User("system:apiserver", groups=("system:masters",))
_PORT_NAME = "https"


async def prepare(registry: Registry, service_range: Prefix, address: str, port: int) -> None:
    """Creates what is missing and mends what has changed; `address:port` is where clients reach this server."""
    for name in _NAMESPACES:
        await _ensure(registry, NAMESPACES, {"metadata": {"name": name}})
    await _access(registry)
    await _ensure(registry, SERVICES, _service(service_range, port))
    if ip_address(address).is_loopback:
        log.warning("no pod can reach this server: --advertise-address is loopback address=%s", address)
        return
    await _replace(registry, ENDPOINTS, _endpoints(address, port))
    await _replace(registry, ENDPOINT_SLICES, _endpoint_slice(address, port))


async def _ensure(registry: Registry, resource: Resource, obj: Object) -> bool:
    """Whether it was missing."""
    meta = obj["metadata"]
    if registry.reader.get(resource, meta["name"], meta.get("namespace", "")) is not None:
        return False
    obj = {"kind": resource.kind, "apiVersion": resource.api_version, **obj}
    await registry.create(registry.kinds[resource], meta.get("namespace", ""), obj, registry.context(_SELF))
    return True


async def _replace(registry: Registry, resource: Resource, wanted: Object) -> None:
    if await _ensure(registry, resource, {**wanted, "metadata": {**wanted["metadata"]}}):
        return

    def change(old: Object) -> Object:
        return {**old, **{field: value for field, value in wanted.items() if field != "metadata"}}

    meta = wanted["metadata"]
    kind = registry.kinds[resource]
    await registry.update(kind, meta["namespace"], meta["name"], change, registry.context(_SELF))


async def _access(registry: Registry) -> None:
    """Roles and bindings, with what a newer version of this program gives them beyond what is there."""
    by_kind = {kind.resource.kind: kind for kind in registry.kinds.values() if kind.resource.group.startswith("rbac.")}
    for wanted in auth.bootstrap_objects():
        kind = by_kind[wanted["kind"]]
        meta = wanted["metadata"]
        namespace = meta.get("namespace", "")
        existing = registry.reader.get(kind.resource, meta["name"], namespace)
        if existing is None:
            await registry.create(kind, namespace, wanted, registry.context(_SELF))
        elif changed := auth.reconcile(existing, wanted):
            await registry.update(kind, namespace, meta["name"], _becomes(changed), registry.context(_SELF))


def _becomes(new: Object) -> Change:
    return lambda old: new


def _service(service_range: Prefix, port: int) -> Object:
    first = str(nth_subnet(service_range, service_range.max_prefixlen, 1).network_address)
    return {
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "type": "ClusterIP",
            "clusterIP": first,
            "clusterIPs": [first],
            "ipFamilies": [family(service_range)],
            "ipFamilyPolicy": "SingleStack",
            "ports": [{"name": _PORT_NAME, "protocol": "TCP", "port": 443, "targetPort": port}],
            "sessionAffinity": "None",
        },
    }


def _endpoints(address: str, port: int) -> Object:
    ports: list[Any] = [{"name": _PORT_NAME, "port": port, "protocol": "TCP"}]
    return {
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"},
        },
        "subsets": [{"addresses": [{"ip": address}], "ports": ports}],
    }


def _endpoint_slice(address: str, port: int) -> Object:
    return {
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "kubernetes"},
        },
        "addressType": family(ip_address(address)),
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": [{"name": _PORT_NAME, "port": port, "protocol": "TCP"}],
    }
