"""All of a container's environment, in the order in which later entries win: Services, envFrom, env. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from weft.cluster.objects.container import Container, EnvVar
from weft.cluster.objects.pod import Pod
from weft.kubelet.env.expand import expand
from weft.kubelet.env.fields import Placement, field_value, resource_value

_VALID = re.compile(r"[\x20-\x3c\x3e-\x7e]+")


class ConfigError(ValueError):
    """The container cannot be made of what there is (CreateContainerConfigError)."""


@dataclass(frozen=True, slots=True)
class Sources:
    """ConfigMaps' and Secrets' data of the pod's namespace by name; None where there is no such object."""

    config_maps: Mapping[str, Mapping[str, str] | None]
    secrets: Mapping[str, Mapping[str, str] | None]


def wanted(container: Container) -> tuple[set[str], set[str]]:
    """Names of the ConfigMaps and of the Secrets that the environment refers to."""
    maps, secrets = set(), set()
    for source in container.env_from or ():
        if source.config_map_ref:
            maps.add(source.config_map_ref.name)
        if source.secret_ref:
            secrets.add(source.secret_ref.name)
    for variable in container.env or ():
        value = variable.value_from
        if value and value.config_map_key_ref:
            maps.add(value.config_map_key_ref.name)
        if value and value.secret_key_ref:
            secrets.add(value.secret_key_ref.name)
    return maps, secrets


def environment(
    pod: Pod, container: Container, sources: Sources, services: Mapping[str, str], placement: Placement
) -> dict[str, str]:
    """Raises ConfigError where a required ConfigMap, Secret or key is missing."""
    made: dict[str, str] = {}
    for source in container.env_from or ():
        reference = source.config_map_ref or source.secret_ref
        if reference is None:
            continue
        kind, table = ("configmap", sources.config_maps) if source.config_map_ref else ("secret", sources.secrets)
        data = table.get(reference.name)
        if data is None:
            if reference.optional:
                continue
            raise ConfigError(f'{kind} "{reference.name}" not found')
        made |= {source.prefix + key: value for key, value in data.items() if _VALID.fullmatch(source.prefix + key)}
    for variable in container.env or ():
        value = _value(pod, container, variable, {**services, **made}, sources, placement)
        if value is not None:
            made[variable.name] = value
    return {**services, **made}


def _value(
    pod: Pod, container: Container, variable: EnvVar, known: Mapping[str, str], sources: Sources, placement: Placement
) -> str | None:
    origin = variable.value_from
    if origin is None:
        return expand(variable.value, known)
    if origin.field_ref:
        return field_value(pod, origin.field_ref.field_path, placement)
    if origin.resource_field_ref:
        return resource_value(pod, origin.resource_field_ref, container.name, placement)
    selector = origin.config_map_key_ref or origin.secret_key_ref
    if selector is None:
        return ""
    kind, shown, table = (
        ("configmap", "ConfigMap", sources.config_maps)
        if origin.config_map_key_ref
        else ("secret", "Secret", sources.secrets)
    )
    data = table.get(selector.name)
    if data is not None and selector.key in data:
        return data[selector.key]
    if selector.optional:
        return None
    if data is None:
        raise ConfigError(f'{kind} "{selector.name}" not found')
    raise ConfigError(f"couldn't find key {selector.key} in {shown} {pod.metadata.namespace}/{selector.name}")
