"""Validation of volume mounts and devices (pkg/apis/core/validation: ValidateVolumeMounts)."""

from weft.apiserver.kinds.pods.paths import descending_path
from weft.apiserver.kinds.rules.errors import Errors, forbidden, invalid, not_found, not_supported, required
from weft.apiserver.registry.kind import Object

_PROPAGATIONS = ("Bidirectional", "HostToContainer", "None")
_RECURSIVE = ("Disabled", "Enabled", "IfPossible")


def mount_errors(container: Object, field: str, volumes: dict[str, Object]) -> Errors:
    devices = container.get("volumeDevices") or []
    seen: set[str] = set()
    errors: Errors = []
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        place = f"{field}[{index}]"
        errors += _mount(mount, place, volumes, seen, devices)
        errors += _sub_paths(mount, field, place)
        errors += _details(mount, field, container)
    return errors


def device_errors(container: Object, field: str, volumes: dict[str, Object]) -> Errors:
    errors: Errors = []
    for index, device in enumerate(container.get("volumeDevices") or ()):
        name, path, place = device.get("name", ""), device.get("devicePath", ""), f"{field}[{index}]"
        if not name:
            errors.append(required(f"{place}.name"))
        elif name not in volumes:
            errors.append(not_found(f"{place}.name", name))
        if not path:
            errors.append(required(f"{place}.devicePath"))
    return errors


def _mount(mount: Object, field: str, volumes: dict[str, Object], seen: set[str], devices: list[Object]) -> Errors:
    name, path = mount.get("name", ""), mount.get("mountPath", "")
    errors: Errors = []
    if not name:
        errors.append(required(f"{field}.name"))
    if name not in volumes:
        errors.append(not_found(f"{field}.name", name))
    if not path:
        errors.append(required(f"{field}.mountPath"))
    if path in seen:
        errors.append(invalid(f"{field}.mountPath", path, "must be unique"))
    seen.add(path)
    if any(device.get("name") == name for device in devices):
        errors.append(invalid(f"{field}.name", name, "must not already exist in volumeDevices"))
    if any(device.get("devicePath") == path for device in devices):
        errors.append(invalid(f"{field}.mountPath", path, "must not already exist as a path in volumeDevices"))
    return errors


def _sub_paths(mount: Object, field: str, place: str) -> Errors:
    path, expression = mount.get("subPath", ""), mount.get("subPathExpr", "")
    errors = descending_path(f"{field}.subPath", path)
    if expression and path:
        detail = "subPathExpr and subPath are mutually exclusive"
        errors.append(invalid(f"{place}.subPathExpr", expression, detail))
    return errors + descending_path(f"{field}.subPathExpr", expression)


def _details(mount: Object, field: str, container: Object) -> Errors:
    """These upstream reports at the list, not at the mount."""
    errors: Errors = []
    propagation, recursive = mount.get("mountPropagation"), mount.get("recursiveReadOnly")
    if propagation is not None:
        if propagation not in _PROPAGATIONS:
            errors.append(not_supported(f"{field}.mountPropagation", propagation, _PROPAGATIONS))
        if propagation == "Bidirectional" and not (container.get("securityContext") or {}).get("privileged"):
            detail = "Bidirectional mount propagation is available only to privileged containers"
            errors.append(forbidden(f"{field}.mountPropagation", detail))
    if recursive is not None and recursive not in _RECURSIVE:
        errors.append(not_supported(f"{field}.recursiveReadOnly", recursive, ("Disabled", "Enabled", "IfPossible")))
    elif recursive in ("Enabled", "IfPossible"):
        if not mount.get("readOnly"):
            errors.append(forbidden(f"{field}.recursiveReadOnly", "may only be specified when readOnly is true"))
        if propagation not in (None, "None"):
            detail = "may only be specified when mountPropagation is None or not specified"
            errors.append(forbidden(f"{field}.recursiveReadOnly", detail))
    return errors
