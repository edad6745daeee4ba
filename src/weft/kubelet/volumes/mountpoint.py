"""tmpfs mounts, by the system calls themselves (mount(2), umount2(2)): no program is started."""

import ctypes
import os
from pathlib import Path

_MNT_DETACH = 2
_libc = ctypes.CDLL(None, use_errno=True)


def mount_tmpfs(path: Path, options: str = "") -> None:
    """Mounts a fresh tmpfs at `path` unless something is mounted there already. Raises OSError."""
    path.mkdir(parents=True, exist_ok=True)
    if os.path.ismount(path):
        return
    if _libc.mount(b"tmpfs", os.fsencode(path), b"tmpfs", 0, options.encode() or None):
        number = ctypes.get_errno()
        raise OSError(number, f"{os.strerror(number)} (mounting a tmpfs)", str(path))


def unmount(path: Path) -> None:
    """Takes the mount away, also while it is in use; nothing happens where nothing is mounted."""
    if os.path.ismount(path) and _libc.umount2(os.fsencode(path), _MNT_DETACH):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(path))
