"""Which records a name of the cluster has (Kubernetes DNS-Based Service Discovery 1.1.0). Pure.

Names below the zone, as labels: `SVC.NS.svc`, `ENDPOINT.SVC.NS.svc`, `_PORT._PROTO.SVC.NS.svc`, `A-B-C-D.NS.pod`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

import msgspec

from weft.dns.message import names
from weft.dns.plugins.kubernetes.model import Model
from weft.dns.plugins.kubernetes.objects import Endpoint, EndpointSlice, NamedEndpoint, Port, Service
from weft.dns.plugins.kubernetes.setup import Config

NO_PORT = -1
_NO_PORTS = (Port(port=NO_PORT),)
"""Stands for the ports of an object that declares none: it has addresses, but no SRV records."""


class Target(msgspec.Struct, frozen=True, gc=False):
    """One place that a name leads to: an address with the name and port of its SRV record, or another `host`."""

    address: str = ""
    name: bytes = b""
    port: int = NO_PORT
    host: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """`targets` is None where the name does not exist, and empty where it exists without records of its own."""

    targets: tuple[Target, ...] | None
    tags: tuple[str, ...] = ()


NOTHING = Found(None)
EMPTY = Found(())


def lookup(model: Model, config: Config, zone: bytes, labels: list[bytes]) -> Found:
    """`labels` are those left of `zone`, in lower case."""
    if not labels or labels in ([b"svc"], [b"pod"]):
        return EMPTY
    if labels[-1] not in (b"svc", b"pod") or len(labels) > 5:
        return NOTHING
    text = [label.decode("latin-1") for label in labels]
    namespace = text[-2]
    if not exposed(model, config, namespace):
        return NOTHING
    if text[-1] == "pod":
        return _pod(model, config, namespace, text[:-2])
    if len(text) == 2:
        return EMPTY
    return _service(model, config, zone, namespace, text[-3], text[:-3])


def exposed(model: Model, config: Config, namespace: str) -> bool:
    return namespace in model.namespaces and (not config.namespaces or namespace in config.namespaces)


def _pod(model: Model, config: Config, namespace: str, rest: list[str]) -> Found:
    if config.pods == "disabled":
        return NOTHING
    if not rest:
        return EMPTY
    address = pod_address(rest[-1])
    if address is None:
        return NOTHING
    tags = (f"ip:{address}",) if config.pods == "verified" else ()
    if config.pods == "verified" and namespace not in model.pod_namespaces_at(address):
        return Found(None, tags)
    return Found((Target(address=address),), tags)


def pod_address(label: str) -> str | None:
    """`10-244-2-5` → 10.244.2.5, `fd00--5` → fd00::5; None where the label spells no address."""
    dotted = label.count("-") == 3 and "--" not in label
    try:
        return str(ip_address(label.replace("-", "." if dotted else ":")))
    except ValueError:
        return None


def _service(model: Model, config: Config, zone: bytes, namespace: str, name: str, rest: list[str]) -> Found:
    key = f"{namespace}/{name}"
    service = model.services.get(key)
    tags = (key,)
    if service is None:
        return Found(None, tags)
    endpoint = rest[0] if len(rest) == 1 else ""
    port, protocol = (part.removeprefix("_") for part in rest) if len(rest) == 2 else ("", "")
    if service.spec.type == "ExternalName":
        return Found(_external(service) if not rest else None, tags)
    if config.ignore_empty and not service.headless and not any(_endpoints(model, config, key)):
        return Found(None, tags)
    suffix = names.join([name.encode(), namespace.encode(), b"svc"], zone)
    if service.headless or endpoint:
        found = tuple(
            Target(address, names.join([label.encode()], suffix), _number(item))
            for label, address, ports in _endpoints(model, config, key)
            if not endpoint or label.lower() == endpoint
            for item in ports
            if _matches(item, port, protocol)
        )
        return Found(found or None, tags)
    chosen = [item for item in service.spec.ports or _NO_PORTS if _matches(item, port, protocol)]
    if not chosen:
        return Found(None, tags)
    return Found(tuple(Target(ip, suffix, _number(item)) for item in chosen for ip in service.addresses if ip), tags)


def _external(service: Service) -> tuple[Target, ...] | None:
    host = service.spec.external_name
    try:
        ip_address(host)
    except ValueError:
        return (Target(host=host),)
    return None  # an address is no name that a CNAME could point to


def _number(item: Port) -> int:
    return NO_PORT if item.port is None else item.port


def _matches(item: Port, port: str, protocol: str) -> bool:
    return (not port or item.name.lower() == port) and (not protocol or item.protocol.lower() == protocol)


def _endpoints(model: Model, config: Config, key: str) -> Iterator[tuple[str, str, tuple[Port, ...]]]:
    """Host label, address and ports of every ready endpoint, in a stable order."""
    if not config.endpoints:
        return
    slices = model.slices.get(key, {})
    for slice_key in sorted(slices):
        slice_ = slices[slice_key]
        for label, address in ready_endpoints(slice_, config):
            yield label, address, slice_.ports or _NO_PORTS


def ready_endpoints(slice_: EndpointSlice, config: Config) -> Iterator[tuple[str, str]]:
    for endpoint in slice_.endpoints or ():
        if endpoint.conditions is None or endpoint.conditions.ready is not False:
            for address in endpoint.addresses:
                yield host_label(endpoint, address, config.endpoint_pod_names), address


def host_label(endpoint: Endpoint, address: str, pod_names: bool) -> str:
    """The hostname; else, where asked for, the pod's name if it is a label; else the address with dashes."""
    if endpoint.hostname:
        return endpoint.hostname
    if pod_names and isinstance(endpoint, NamedEndpoint) and endpoint.target_ref:
        name = endpoint.target_ref.name
        if 0 < len(name) < 64:
            return name
    dashed = address.replace(".", "-").replace(":", "-")
    return f"{dashed}0" if dashed.endswith("-") else dashed


def reverse(model: Model, config: Config, address: str) -> tuple[bytes, ...]:
    """The names that `address` stands for: a Service's, else those of all endpoints that have it."""
    for service in model.services_at(address):
        meta = service.metadata
        if not config.namespaces or meta.namespace in config.namespaces:
            return (names.join([meta.name.encode(), meta.namespace.encode(), b"svc"], config.primary),)
    found: dict[bytes, None] = {}
    for key, slice_ in model.slices_at(address):
        namespace, _, name = key.partition("/")
        if name and (not config.namespaces or namespace in config.namespaces):
            for label, endpoint_address in ready_endpoints(slice_, config):
                if endpoint_address == address:
                    parts = [label.encode(), name.encode(), namespace.encode(), b"svc"]
                    found[names.join(parts, config.primary)] = None
    return tuple(found)
