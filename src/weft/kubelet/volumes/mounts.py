"""What is mounted into one container: its volumes, /etc/hosts, and the file for its last words."""

import os
from collections.abc import Mapping
from pathlib import Path

from weft.cluster.objects.container import Container, VolumeMount
from weft.kubelet.env.environment import ConfigError
from weft.kubelet.env.expand import expand
from weft.kubelet.pods.container import Mount

_PROPAGATION = {
    "HostToContainer": "PROPAGATION_HOST_TO_CONTAINER",
    "Bidirectional": "PROPAGATION_BIDIRECTIONAL",
}


def container_mounts(
    container: Container, volumes: Mapping[str, Path], environment: Mapping[str, str], own: Mapping[str, Path]
) -> list[Mount]:
    """`own`: the kubelet's files by their path in the container; a volume mounted there wins. Raises ConfigError."""
    made = [_mount(entry, volumes, environment) for entry in container.volume_mounts or ()]
    taken = {mount.container_path.rstrip("/") for mount in made}
    return made + [Mount(str(path), inside) for inside, path in own.items() if inside not in taken]


def _mount(entry: VolumeMount, volumes: Mapping[str, Path], environment: Mapping[str, str]) -> Mount:
    base = volumes.get(entry.name)
    if base is None:
        raise ConfigError(f'cannot find volume "{entry.name}" to mount into container')
    sub_path = expand(entry.sub_path_expr, environment) if entry.sub_path_expr else entry.sub_path
    host_path = _sub_path(base, sub_path) if sub_path else base
    inside = entry.mount_path if entry.mount_path.startswith("/") else f"/{entry.mount_path}"
    propagation = _PROPAGATION.get(entry.mount_propagation or "", "PROPAGATION_PRIVATE")
    return Mount(str(host_path), inside, entry.read_only, propagation)


def _sub_path(base: Path, sub_path: str) -> Path:
    """The file or directory below `base`, a new directory where there is nothing; links must not lead out of it."""
    if sub_path.startswith("/") or ".." in Path(sub_path).parts:
        raise ConfigError(f"subPath {sub_path!r} must be a path inside the volume")
    whole = base / sub_path
    real, inside = Path(os.path.realpath(whole)), Path(os.path.realpath(base))
    if real != inside and inside not in real.parents:
        raise ConfigError(f"subPath {sub_path!r} leads out of the volume")
    if not real.exists():
        real.mkdir(parents=True)
        for made in (real, *real.parents):
            if made == inside:
                break
            made.chmod(inside.stat().st_mode & 0o7777)
    return real
