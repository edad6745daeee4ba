"""Environment variables that tell where the Services are ("Discovering services", "Environment variables"). Pure."""

from collections.abc import Iterable

from weft.cluster.objects.service import Service

_MASTER = ("default", "kubernetes")


def service_variables(services: Iterable[Service], namespace: str, links: bool) -> dict[str, str]:
    """Those of the pod's namespace where `links` is set, and always those of default/kubernetes."""
    chosen: dict[str, Service] = {}
    for service in services:
        if service.spec.cluster_ip in ("", "None") or not service.spec.ports:
            continue
        name = service.metadata.name
        if (service.metadata.namespace, name) == _MASTER:
            chosen.setdefault(name, service)
        if links and service.metadata.namespace == namespace:
            chosen[name] = service
    made: dict[str, str] = {}
    for name in sorted(chosen):
        made |= _variables(chosen[name])
    return made


def _variables(service: Service) -> dict[str, str]:
    prefix = _name(service.metadata.name)
    address = service.spec.cluster_ip
    shown = f"[{address}]" if ":" in address else address
    ports = service.spec.ports or ()
    made = {f"{prefix}_SERVICE_HOST": address, f"{prefix}_SERVICE_PORT": str(ports[0].port)}
    for port in ports:
        if port.name:
            made[f"{prefix}_SERVICE_PORT_{_name(port.name)}"] = str(port.port)
    # The variables that Docker's links once set, for the first port without its number, then for each.
    first = ports[0]
    made[f"{prefix}_PORT"] = f"{first.protocol.lower()}://{shown}:{first.port}"
    for port in ports:
        protocol = port.protocol.lower()
        link = f"{prefix}_PORT_{port.port}_{port.protocol.upper()}"
        made[link] = f"{protocol}://{shown}:{port.port}"
        made[f"{link}_PROTO"] = protocol
        made[f"{link}_PORT"] = str(port.port)
        made[f"{link}_ADDR"] = address
    return made


def _name(text: str) -> str:
    return text.replace("-", "_").upper()
