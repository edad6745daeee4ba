"""Validation of volumes (pkg/apis/core/validation: ValidateVolumes). Volumes of cloud providers pass unchecked."""

from weft.apiserver.kinds.pods.environment import field_ref_errors, resource_ref_errors
from weft.apiserver.kinds.pods.paths import no_backsteps, unreserved_path
from weft.apiserver.kinds.rules import names
from weft.apiserver.kinds.rules.errors import Errors, duplicate, each, forbidden, invalid, not_supported, required
from weft.apiserver.registry.kind import Object
from weft.apiserver.schema.quantity import parse_quantity

_MODE = "must be a number between 0 and 0777 (octal), both inclusive"
_HOST_PATHS = (
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
)
_FIELDS = ("metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")
_MORE_THAN_ONE = "may not specify more than 1 volume type"
_SHORTEST_TOKEN, _LONGEST_TOKEN = 600, 1 << 32


def volume_errors(volumes: list[Object], field: str) -> tuple[dict[str, Object], Errors]:
    """The valid volumes by name, and what is wrong with the others."""
    valid: dict[str, Object] = {}
    errors: Errors = []
    for index, volume in enumerate(volumes):
        place, name = f"{field}[{index}]", volume.get("name", "")
        found = _sources(volume, place)
        found += each(f"{place}.name", name, names.label(name)) if name else [required(f"{place}.name")]
        if name in valid:
            found.append(duplicate(f"{place}.name", name))
        if not found:
            valid[name] = volume
        errors += found
    return valid, errors


def _sources(volume: Object, field: str) -> Errors:
    given = [name for name in volume if name != "name" and volume[name] is not None]
    if not given:
        return [required(field, "must specify a volume type")]
    errors: Errors = []
    for index, name in enumerate(given):
        if index:
            errors.append(forbidden(f"{field}.{name}", _MORE_THAN_ONE))
        elif name in _CHECKS:
            errors += _CHECKS[name](volume[name], f"{field}.{name}")
    return errors


def _empty_dir(source: Object, field: str) -> Errors:
    limit = source.get("sizeLimit")
    if limit is not None and parse_quantity(limit) < 0:
        return [forbidden(f"{field}.sizeLimit", "SizeLimit field must be a valid resource quantity")]
    return []


def _host_path(source: Object, field: str) -> Errors:
    path, kind = source.get("path", ""), source.get("type", "")
    if not path:
        return [required(f"{field}.path")]
    errors = no_backsteps(f"{field}.path", path)
    return errors if kind in _HOST_PATHS else [*errors, not_supported(f"{field}.type", kind, _HOST_PATHS)]


def _secret(source: Object, field: str) -> Errors:
    return _keyed(source, field, "secretName")


def _config_map(source: Object, field: str) -> Errors:
    return _keyed(source, field, "name")


def _keyed(source: Object, field: str, name: str) -> Errors:
    errors = [] if source.get(name) else [required(f"{field}.{name}")]
    errors += _mode(source.get("defaultMode"), f"{field}.defaultMode")
    for index, item in enumerate(source.get("items") or ()):
        errors += _item(item, f"{field}.items[{index}]")
    return errors


def _item(item: Object, field: str) -> Errors:
    errors = [required(f"{field}.{name}") for name in ("key", "path") if not item.get(name)]
    return errors + unreserved_path(f"{field}.path", item.get("path", "")) + _mode(item.get("mode"), f"{field}.mode")


def _mode(mode: int | None, field: str) -> Errors:
    return [] if mode is None or 0 <= mode <= 0o777 else [invalid(field, mode, _MODE)]


def _downward(source: Object, field: str) -> Errors:
    errors = _mode(source.get("defaultMode"), f"{field}.defaultMode")
    for item in source.get("items") or ():
        errors += _downward_file(item, field)
    return errors


def _downward_file(item: Object, field: str) -> Errors:
    path = item.get("path", "")
    errors = [] if path else [required(f"{field}.path")]
    errors += unreserved_path(f"{field}.path", path)
    reference, resource = item.get("fieldRef"), item.get("resourceFieldRef")
    if reference is not None:
        errors += field_ref_errors(reference, f"{field}.fieldRef", _FIELDS)
        if resource is not None:
            detail = "fieldRef and resourceFieldRef can not be specified simultaneously"
            errors.append(invalid(field, "resource", detail))
    elif resource is not None:
        errors += resource_ref_errors(resource, f"{field}.resourceFieldRef", container_needed=True)
    else:
        errors.append(required(field, "one of fieldRef and resourceFieldRef is required"))
    return errors + _mode(item.get("mode"), f"{field}.mode")


def _projected(source: Object, field: str) -> Errors:
    errors = _mode(source.get("defaultMode"), f"{field}.defaultMode")
    seen: set[str] = set()
    for index, each_of in enumerate(source.get("sources") or ()):
        place = f"{field}.sources[{index}]"
        for name in ("secret", "configMap"):
            if each_of.get(name) is not None:
                errors += _projected_keys(each_of[name], f"{place}.{name}", field, seen)
        if each_of.get("downwardAPI") is not None:
            for item in each_of["downwardAPI"].get("items") or ():
                errors += _downward_file(item, f"{place}.downwardAPI")
                errors += _once(item.get("path", ""), item.get("path", ""), field, seen)
        if each_of.get("serviceAccountToken") is not None:
            errors += _token(each_of["serviceAccountToken"], f"{place}.serviceAccountToken", field)
        if len([name for name in each_of if each_of[name] is not None]) > 1:
            errors.append(forbidden(place, "may not specify more than 1 volume type per source"))
    return errors


def _projected_keys(source: Object, field: str, volume: str, seen: set[str]) -> Errors:
    errors = [] if source.get("name") else [required(f"{field}.name")]
    for index, item in enumerate(source.get("items") or ()):
        errors += _item(item, f"{field}.items[{index}]")
        errors += _once(item.get("path", ""), source.get("name", ""), volume, seen)
    return errors


def _once(path: str, shown: str, field: str, seen: set[str]) -> Errors:
    if path and path in seen:
        return [invalid(field, shown, "conflicting duplicate paths")]
    seen.add(path)
    return []


def _token(token: Object, field: str, volume: str) -> Errors:
    seconds, path = token.get("expirationSeconds", 0), token.get("path", "")
    errors: Errors = []
    if seconds < _SHORTEST_TOKEN:
        detail = "may not specify a duration less than 10 minutes"
        errors.append(invalid(f"{field}.expirationSeconds", seconds, detail))
    if seconds > _LONGEST_TOKEN:
        detail = "may not specify a duration larger than 2^32 seconds"
        errors.append(invalid(f"{field}.expirationSeconds", seconds, detail))
    return errors + (unreserved_path(f"{volume}.path", path) if path else [required(f"{volume}.path")])


def _claim(source: Object, field: str) -> Errors:
    return [] if source.get("claimName") else [required(f"{field}.claimName")]


_CHECKS = {
    "emptyDir": _empty_dir,
    "hostPath": _host_path,
    "secret": _secret,
    "configMap": _config_map,
    "downwardAPI": _downward,
    "projected": _projected,
    "persistentVolumeClaim": _claim,
}
