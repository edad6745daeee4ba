"""Files of configMap, secret, downwardAPI and projected volumes, as values: path → content and mode. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from weft.cluster.objects.pod import Pod
from weft.cluster.objects.volume import (
    ConfigMapSource,
    DownwardAPISource,
    KeyToPath,
    ProjectedSource,
    SecretSource,
    ServiceAccountTokenProjection,
    Volume,
)
from weft.kubelet.env.fields import Placement, field_value, resource_value

DEFAULT_MODE = 0o644


@dataclass(frozen=True, slots=True)
class File:
    content: bytes
    mode: int = DEFAULT_MODE


Payload = dict[str, File]
TokenKey = tuple[str, int]
"""Audience and lifetime in seconds of a ServiceAccount's token."""


class VolumeError(ValueError):
    """The volume cannot be made (yet); the message is the one of the FailedMount event."""


@dataclass(frozen=True, slots=True)
class Contents:
    """Everything that payloads are made of; None for an object that does not exist."""

    config_maps: Mapping[str, Mapping[str, bytes] | None]
    secrets: Mapping[str, Mapping[str, bytes] | None]
    tokens: Mapping[TokenKey, str]
    placement: Placement


@dataclass(frozen=True, slots=True)
class Needs:
    """What has to be fetched before payloads can be made."""

    config_maps: frozenset[str]
    secrets: frozenset[str]
    tokens: frozenset[TokenKey]


def token_key(source: ServiceAccountTokenProjection) -> TokenKey:
    return source.audience, source.expiration_seconds or 3600


def needs(volume: Volume) -> Needs:
    maps, secrets, tokens = set(), set(), set()
    if volume.config_map:
        maps.add(volume.config_map.name)
    if volume.secret:
        secrets.add(volume.secret.secret_name)
    for source in (volume.projected.sources if volume.projected else None) or ():
        if source.config_map:
            maps.add(source.config_map.name)
        if source.secret:
            secrets.add(source.secret.name)
        if source.service_account_token:
            tokens.add(token_key(source.service_account_token))
    return Needs(frozenset(maps), frozenset(secrets), frozenset(tokens))


def payload(pod: Pod, volume: Volume, contents: Contents) -> Payload | None:
    """The files of the volume; None for volumes that are not made of objects. Raises VolumeError."""
    if volume.config_map:
        return _config_map(pod, volume.config_map, _mode(volume.config_map.default_mode), contents)
    if volume.secret:
        source = volume.secret
        return _secret(pod, source, source.secret_name, _mode(source.default_mode), contents)
    if volume.downward_api:
        return _downward(pod, volume.downward_api, _mode(volume.downward_api.default_mode), contents)
    if volume.projected:
        return _projected(pod, volume.projected, contents)
    return None


def _mode(mode: int | None) -> int:
    return DEFAULT_MODE if mode is None else mode


def _projected(pod: Pod, projected: ProjectedSource, contents: Contents) -> Payload:
    mode = _mode(projected.default_mode)
    made: Payload = {}
    for source in projected.sources or ():
        if source.config_map:
            made |= _config_map(pod, source.config_map, mode, contents)
        if source.secret:
            made |= _secret(pod, source.secret, source.secret.name, mode, contents)
        if source.downward_api:
            made |= _downward(pod, source.downward_api, mode, contents)
        if source.service_account_token:
            made |= _token(pod, source.service_account_token, mode, contents)
    return made


def _token(pod: Pod, source: ServiceAccountTokenProjection, mode: int, contents: Contents) -> Payload:
    context = pod.spec.security_context
    users = {(c.security_context.run_as_user if c.security_context else None) for c in pod.spec.containers}
    shared = context.run_as_user if context else None
    one_user = len(users) == 1 and (next(iter(users)) is not None or shared is not None)
    if one_user or (context is not None and context.fs_group is not None):
        mode = 0o600
    token = contents.tokens.get(token_key(source))
    if token is None:
        raise VolumeError(f"failed to fetch token for service account {pod.spec.service_account_name}")
    return {_path(source.path): File(token.encode(), mode)}


def _config_map(pod: Pod, source: ConfigMapSource, mode: int, contents: Contents) -> Payload:
    data = contents.config_maps.get(source.name)
    if data is None:
        if source.optional:
            return {}
        raise VolumeError(f'configmap "{source.name}" not found')
    missing = "configmap references non-existent config key: {}"
    return _pick(data, source.items, mode, missing, optional=bool(source.optional))


def _secret(pod: Pod, source: SecretSource, name: str, mode: int, contents: Contents) -> Payload:
    data = contents.secrets.get(name)
    if data is None:
        if source.optional:
            return {}
        raise VolumeError(f'secret "{name}" not found')
    return _pick(data, source.items, mode, "references non-existent secret key: {}", optional=bool(source.optional))


def _pick(
    data: Mapping[str, bytes], items: Sequence[KeyToPath] | None, mode: int, missing: str, *, optional: bool
) -> Payload:
    if not items:
        return {_path(key): File(content, mode) for key, content in data.items()}
    made: Payload = {}
    for item in items:
        if item.key in data:
            made[_path(item.path)] = File(data[item.key], mode if item.mode is None else item.mode)
        elif not optional:
            raise VolumeError(missing.format(item.key))
    return made


def _downward(pod: Pod, source: DownwardAPISource, mode: int, contents: Contents) -> Payload:
    made: Payload = {}
    for item in source.items or ():
        if item.field_ref:
            text = field_value(pod, item.field_ref.field_path, contents.placement)
        elif item.resource_field_ref:
            text = resource_value(pod, item.resource_field_ref, "", contents.placement)
        else:
            continue
        made[_path(item.path)] = File(text.encode(), mode if item.mode is None else item.mode)
    return made


def _path(path: str) -> str:
    """A path inside the volume, and never outside of it, nor among the writer's own names."""
    parts = path.split("/")
    if not path or path.startswith("/") or ".." in parts or parts[0].startswith(".."):
        raise VolumeError(f"invalid path {path!r}: it must be relative and must not contain '..'")
    return "/".join(part for part in parts if part not in ("", "."))
