"""Where a proxied request goes: a kubelet's URL, or a pod's, found in the objects. Pure but for the random choice."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlencode

from weft.apiserver.registry import failures
from weft.apiserver.registry.admission import Reader
from weft.apiserver.registry.kind import FieldError, Object
from weft.cluster.errors import ApiError
from weft.cluster.objects.resource import ENDPOINTS, NODES, PODS, SERVICES, Resource

KUBELET_PORT = 10250
_PREFERRED = ("InternalIP", "ExternalIP", "Hostname")
_FLAGS = (("stdin", "input"), ("stdout", "output"), ("stderr", "error"), ("tty", "tty"))
"""PodExecOptions' names and the kubelet's."""
_LOG_NUMBERS = ("sinceSeconds", "tailLines", "limitBytes")
_LOG_OPTIONS = Resource("", "v1", "", "PodLogOptions")
_TRUE = ("true", "1", "t", "T", "TRUE", "True", "")


@dataclass(frozen=True, slots=True)
class Target:
    host: str
    port: int
    path: str
    """With its query."""
    tls: bool = True
    kubelet: bool = True
    """Shows our client certificate and demands the kubelets' authority."""

    @property
    def authority(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.authority}{self.path}"


Query = Sequence[tuple[str, str]]


def _get(query: Query, name: str) -> str:
    return next((value for key, value in query if key == name), "")


def _flag(query: Query, name: str) -> bool:
    return any(key == name and value in _TRUE for key, value in query)


def kubelet(reader: Reader, node_name: str) -> tuple[str, int]:
    """(address, port) of a node's kubelet. Raises ApiError."""
    node = reader.get(NODES, node_name)
    if node is None:
        raise failures.not_found(NODES, node_name)
    status = node.get("status") or {}
    addresses = {each["type"]: each["address"] for each in reversed(status.get("addresses") or [])}
    for kind in _PREFERRED:
        if kind in addresses:
            endpoint = (status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}
            return addresses[kind], endpoint.get("Port") or KUBELET_PORT
    why = f"no preferred addresses found; known addresses: {list(addresses.values())}"
    raise failures.internal(why)


def pod_stream(reader: Reader, namespace: str, name: str, stream: str, query: Query) -> Target:
    """exec, attach or portforward. Raises ApiError."""
    pod = _pod(reader, namespace, name)
    path = f"/portForward/{namespace}/{name}"
    if stream != "portforward":
        path = f"/{stream}/{namespace}/{name}/{container_of(pod, _get(query, 'container'))}"
    node = pod["spec"].get("nodeName")
    if not node:
        raise failures.bad_request(f"pod {name} does not have a host assigned")
    host, port = kubelet(reader, node)
    asked = _stream_query(stream, query)
    return Target(host, port, path + (f"?{urlencode(asked)}" if asked else ""))


def _stream_query(stream: str, query: Query) -> list[tuple[str, str]]:
    if stream == "portforward":
        ports = [value for name, value in query if name == "ports"]
        return [("port", ",".join(ports))] if ports else []
    asked = [(theirs, "1") for ours, theirs in _FLAGS if _flag(query, ours)]
    if stream == "exec":
        asked += [("command", value) for name, value in query if name == "command"]
    return asked


def pod_log(reader: Reader, namespace: str, name: str, query: Query) -> Target | None:
    """None: the pod is on no node yet, its log is empty. Raises ApiError."""
    pod = _pod(reader, namespace, name)
    container = container_of(pod, _get(query, "container"))
    node = pod["spec"].get("nodeName")
    if not node:
        return None
    asked = [(flag, "true") for flag in ("follow", "previous", "timestamps") if _flag(query, flag)]
    for field in _LOG_NUMBERS:
        if text := _get(query, field):
            if not text.lstrip("-").isdigit():
                raise failures.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
            if int(text) < (1 if field != "tailLines" else 0):
                raise _bad_log_option(name, field, text)
            asked.append((field, text))
    if since := _get(query, "sinceTime"):
        asked.append(("sinceTime", since))
    asked.append(("stream", _get(query, "stream") or "All"))
    host, port = kubelet(reader, node)
    return Target(host, port, f"/containerLogs/{namespace}/{name}/{container}?{urlencode(asked)}")


def _bad_log_option(name: str, field: str, text: str) -> ApiError:
    least = "must be greater than or equal to 0" if field == "tailLines" else "must be greater than 0"
    error = FieldError("FieldValueInvalid", field, least, int(text))
    return failures.invalid(_LOG_OPTIONS, name, [error])


def _pod(reader: Reader, namespace: str, name: str) -> Object:
    pod = reader.get(PODS, name, namespace)
    if pod is None:
        raise failures.not_found(PODS, name)
    return pod


def container_of(pod: Object, asked: str) -> str:
    """The container that is meant. Raises ApiError 400 in `validateContainer`'s words."""
    spec, name = pod["spec"], pod["metadata"]["name"]
    fields = ("initContainers", "containers", "ephemeralContainers")
    names = [each["name"] for field in fields for each in spec.get(field) or []]
    if asked:
        if asked not in names:
            raise failures.bad_request(f"container {asked} is not valid for pod {name}")
        return asked
    containers = spec.get("containers") or []
    if len(containers) == 1:
        only: str = containers[0]["name"]
        return only
    choice = f", choose one of: [{' '.join(names)}]" if containers else ""
    raise failures.bad_request(f"a container name must be specified for pod {name}{choice}")


def split(identity: str, what: str) -> tuple[str, str, str]:
    """`[SCHEME:]NAME[:PORT]` → (scheme, name, port). Raises ApiError 400."""
    parts = identity.split(":")
    if len(parts) == 3:
        scheme, name, port = parts
    else:
        scheme, name, port = "", parts[0], ":".join(parts[1:])
    if not name or len(parts) > 3 or scheme not in ("", "http", "https"):
        raise failures.bad_request(f'invalid {what} request "{identity}"')
    return scheme, name, port


def node_proxy(reader: Reader, identity: str, path: str) -> Target:
    scheme, name, port = split(identity, "node")
    host, kubelet_port = kubelet(reader, name)
    if not port or port == str(kubelet_port):
        return Target(host, kubelet_port, path)
    return Target(host, _port_number(port), path, tls=scheme == "https", kubelet=False)


def pod_proxy(reader: Reader, namespace: str, identity: str, path: str) -> Target:
    scheme, name, port = split(identity, "pod")
    pod = _pod(reader, namespace, name)
    if not port:
        declared = [each for container in pod["spec"]["containers"] for each in container.get("ports") or []]
        port = str(declared[0]["containerPort"]) if declared else ""
    address = (pod.get("status") or {}).get("podIP") or ""
    if not _allowed(address):
        raise failures.bad_request("address not allowed")
    number = _port_number(port) if port else (443 if scheme == "https" else 80)
    return Target(address, number, path, tls=scheme == "https", kubelet=False)


def service_proxy(reader: Reader, namespace: str, identity: str, path: str, rng: random.Random) -> Target:
    scheme, name, port = split(identity, "service")
    if port.isdigit():
        service = reader.get(SERVICES, name, namespace)
        if service is None:
            raise failures.not_found(SERVICES, name)
        named = [each.get("name", "") for each in service["spec"].get("ports") or [] if each["port"] == int(port)]
        if not named:
            raise failures.unavailable(f'no service port {port} found for service "{name}"')
        port = named[0]
    endpoints = reader.get(ENDPOINTS, name, namespace)
    if endpoints is None:
        raise failures.not_found(ENDPOINTS, name)
    choices = list(_choices(endpoints.get("subsets") or [], port))
    if not choices:
        raise failures.unavailable(f'no endpoints available for service "{identity}"')
    address, number = rng.choice(choices)
    return Target(address, number, path, tls=scheme == "https", kubelet=False)


def _choices(subsets: Sequence[Any], port: str) -> Iterable[tuple[str, int]]:
    for subset in subsets:
        for each in subset.get("ports") or []:
            if each.get("name", "") == port:
                for address in subset.get("addresses") or []:
                    if _allowed(address["ip"]):
                        yield address["ip"], each["port"]


def _allowed(text: str) -> bool:
    """Only what a pod can have: a proxy to loopback would reach into the control plane."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified)


def _port_number(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise failures.bad_request(f'invalid port "{text}"')
    return int(text)
