"""Whom a probe or hook asks: URL, headers, port. Pure."""

from dataclasses import dataclass

from weft.cluster.objects.container import Container, HTTPGetAction, Port

USER_AGENT = "kube-probe/1.36"


@dataclass(frozen=True, slots=True)
class HttpTarget:
    url: str
    headers: tuple[tuple[str, str], ...]


def port_number(port: Port, container: Container) -> int:
    """A port's number, by its name in the container where it is a name. Raises ValueError."""
    if isinstance(port, str) and not port.isdigit():
        for declared in container.ports or ():
            if declared.name == port:
                return declared.container_port
        raise ValueError(f"couldn't find port: {port} in container {container.name}")
    number = int(port)
    if not 0 < number < 65536:
        raise ValueError(f"invalid port number: {number}")
    return number


def http_target(action: HTTPGetAction, container: Container, address: str) -> HttpTarget:
    """The request of an httpGet action, to the pod's `address` unless it names a host. Raises ValueError."""
    scheme = (action.scheme or "HTTP").lower()
    host = action.host or address
    shown = f"[{host}]" if ":" in host else host
    path = action.path if action.path.startswith("/") else f"/{action.path}"
    headers = [(header.name, header.value) for header in action.http_headers or ()]
    named = {name.lower() for name, _ in headers}
    if "user-agent" not in named:
        headers.append(("User-Agent", USER_AGENT))
    if "accept" not in named:
        headers.append(("Accept", "*/*"))
    return HttpTarget(
        f"{scheme}://{shown}:{port_number(action.port, container)}{path}",
        # An empty value removes the header, as the kubelet's probes do.
        tuple((name, value) for name, value in headers if value),
    )
