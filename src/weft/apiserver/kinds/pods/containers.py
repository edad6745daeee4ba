"""Validation of containers: regular, init and ephemeral ones (pkg/apis/core/validation: validateContainers …)."""

from weft.apiserver.kinds.pods.environment import env_errors, env_from_errors
from weft.apiserver.kinds.pods.mounts import device_errors, mount_errors
from weft.apiserver.kinds.pods.probes import lifecycle_errors, probe_errors
from weft.apiserver.kinds.pods.resources import resource_errors
from weft.apiserver.kinds.pods.security import security_errors
from weft.apiserver.kinds.rules import names
from weft.apiserver.kinds.rules.errors import (
    Errors,
    duplicate,
    each,
    forbidden,
    invalid,
    not_found,
    not_supported,
    required,
)
from weft.apiserver.registry.kind import Object

_PROTOCOLS = ("SCTP", "TCP", "UDP")
_PULL = ("Always", "IfNotPresent", "Never")
_MESSAGES = ("File", "FallbackToLogsOnError")
_RESTART = ("Always", "Never", "OnFailure")
_SIDECARS_ONLY = ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe")
_NOT_EPHEMERAL = ("ports", "resources", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "resizePolicy")


def container_errors(spec: Object, field: str, volumes: dict[str, Object]) -> Errors:
    """All containers of a pod spec; `volumes` are the valid ones, by name."""
    regular, init = spec.get("containers") or [], spec.get("initContainers") or []
    seen: set[str] = set()
    errors = [] if regular else [required(f"{field}.containers")]
    for index, container in enumerate(regular):
        place = f"{field}.containers[{index}]"
        errors += _common(container, place, spec, volumes)
        errors += _unique(container, place, seen)
        errors += _running(container, place, spec)
        errors += _only_for_pods(container, place)
    errors += _host_ports(regular, f"{field}.containers")
    for index, container in enumerate(init):
        errors += _init(container, f"{field}.initContainers[{index}]", spec, volumes, seen)
    ephemeral = spec.get("ephemeralContainers") or []
    others = set(seen)
    for index, container in enumerate(ephemeral):
        place = f"{field}.ephemeralContainers[{index}]"
        errors += _common(container, place, spec, volumes)
        errors += _unique(container, place, seen)
        errors += _ephemeral(container, place, others)
    return errors


def _common(container: Object, field: str, spec: Object, volumes: dict[str, Object]) -> Errors:
    name = container.get("name", "")
    errors = each(f"{field}.name", name, names.label(name)) if name else [required(f"{field}.name")]
    if not container.get("image"):
        errors.append(required(f"{field}.image"))
    errors += _choice(f"{field}.terminationMessagePolicy", container.get("terminationMessagePolicy"), _MESSAGES)
    errors += _ports(container.get("ports") or [], f"{field}.ports")
    errors += env_errors(container.get("env") or [], f"{field}.env")
    errors += env_from_errors(container.get("envFrom") or [], f"{field}.envFrom")
    errors += mount_errors(container, f"{field}.volumeMounts", volumes)
    errors += device_errors(container, f"{field}.volumeDevices", volumes)
    errors += _choice(f"{field}.imagePullPolicy", container.get("imagePullPolicy"), _PULL)
    errors += resource_errors(container.get("resources") or {}, f"{field}.resources")
    return errors + security_errors(
        container.get("securityContext"), f"{field}.securityContext", host_users=spec.get("hostUsers", True)
    )


def _choice(field: str, value: str | None, allowed: tuple[str, ...]) -> Errors:
    if not value:
        return [required(field)]
    return [] if value in allowed else [not_supported(field, value, allowed)]


def _unique(container: Object, field: str, seen: set[str]) -> Errors:
    name = container.get("name", "")
    if name in seen:
        return [duplicate(f"{field}.name", name)]
    if name:
        seen.add(name)
    return []


def _running(container: Object, field: str, spec: Object) -> Errors:
    """What only containers have that run along with the pod."""
    errors: Errors = []
    if container.get("lifecycle") is not None:
        errors += lifecycle_errors(
            container["lifecycle"], f"{field}.lifecycle", spec.get("terminationGracePeriodSeconds") or 0
        )
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(name) is not None:
            errors += probe_errors(container[name], name, f"{field}.{name}")
    policy = container.get("restartPolicy")
    if policy is not None and policy not in _RESTART:
        errors.append(not_supported(f"{field}.restartPolicy", policy, _RESTART))
    return errors


def _only_for_pods(container: Object, field: str) -> Errors:
    image = container.get("image", "")
    if image != image.strip():
        return [invalid(f"{field}.image", image, "must not have leading or trailing whitespace")]
    return []


def _init(container: Object, field: str, spec: Object, volumes: dict[str, Object], seen: set[str]) -> Errors:
    errors = _common(container, field, spec, volumes)
    errors += _unique(container, field, seen)
    errors += _host_ports([container], field.rpartition("[")[0])
    if container.get("restartPolicy") == "Always":
        return errors + _running(container, field, spec)
    detail = "may not be set for init containers without restartPolicy=Always"
    errors += [forbidden(f"{field}.{name}", detail) for name in _SIDECARS_ONLY if container.get(name) is not None]
    policy = container.get("restartPolicy")
    if policy is not None and policy not in _RESTART:
        errors.append(not_supported(f"{field}.restartPolicy", policy, _RESTART))
    return errors


def _ephemeral(container: Object, field: str, others: set[str]) -> Errors:
    errors: Errors = []
    target = container.get("targetContainerName")
    if target and target not in others:
        errors.append(not_found(f"{field}.targetContainerName", target))
    detail = "cannot be set for an Ephemeral Container"
    errors += [forbidden(f"{field}.{name}", detail) for name in _NOT_EPHEMERAL if container.get(name)]
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        for name in ("subPath", "subPathExpr"):
            if mount.get(name):
                errors.append(forbidden(f"{field}.volumeMounts[{index}].{name}", detail))
    return errors


def _ports(ports: list[Object], field: str) -> Errors:
    errors: Errors = []
    seen: set[str] = set()
    for index, port in enumerate(ports):
        errors += _port(port, f"{field}[{index}]", seen)
    return errors


def _port(port: Object, field: str, seen: set[str]) -> Errors:
    errors: Errors = []
    name, number = port.get("name", ""), port.get("containerPort", 0)
    if name:
        messages = names.port_name(name)
        errors += each(f"{field}.name", name, messages)
        if not messages and name in seen:
            errors.append(duplicate(f"{field}.name", name))
        seen.add(name)
    if number:
        errors += each(f"{field}.containerPort", number, names.port_number(number))
    else:
        errors.append(required(f"{field}.containerPort"))
    host = port.get("hostPort", 0)
    if host:
        errors += each(f"{field}.hostPort", host, names.port_number(host))
    return errors + _choice(f"{field}.protocol", port.get("protocol"), _PROTOCOLS)


def _host_ports(containers: list[Object], field: str) -> Errors:
    """No two containers that run together may hold the same port of the node."""
    errors: Errors = []
    seen: set[str] = set()
    for index, container in enumerate(containers):
        for number, port in enumerate(container.get("ports") or ()):
            if not port.get("hostPort"):
                continue
            key = f"{port.get('protocol', '')}/{port.get('hostIP', '')}/{port['hostPort']}"
            if key in seen:
                errors.append(duplicate(f"{field}[{index}].ports[{number}].hostPort", key))
            seen.add(key)
    return errors
