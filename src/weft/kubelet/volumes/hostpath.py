"""hostPath volumes: the checks that their type asks for ("Volumes", "hostPath")."""

import stat
from collections.abc import Callable
from pathlib import Path

from weft.cluster.objects.volume import HostPathSource
from weft.kubelet.volumes.payload import VolumeError

_CHECKS: dict[str, tuple[Callable[[int], bool], str]] = {
    "Directory": (stat.S_ISDIR, "a directory"),
    "File": (stat.S_ISREG, "a file"),
    "Socket": (stat.S_ISSOCK, "a socket file"),
    "CharDevice": (stat.S_ISCHR, "a character device"),
    "BlockDevice": (stat.S_ISBLK, "a block device"),
}


def prepare(source: HostPathSource) -> Path:
    """The path, made where the type says OrCreate. Raises VolumeError where it is something else."""
    path, kind = Path(source.path), source.type or ""
    if kind == "DirectoryOrCreate":
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
    elif kind == "FileOrCreate" and not path.exists():
        path.touch(mode=0o644)
    wanted = kind.removesuffix("OrCreate")
    if not wanted:
        return path
    check, noun = _CHECKS.get(wanted, (None, ""))
    if check is None:
        raise VolumeError(f"hostPath type check failed: {kind} is not a known type")
    try:
        mode = path.stat().st_mode
    except OSError:
        mode = 0
    if not check(mode):
        raise VolumeError(f"hostPath type check failed: {path} is not {noun}")
    return path
