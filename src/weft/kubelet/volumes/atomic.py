"""Writes all files of a volume at once, so that a reader never sees half of an update:

key        → ..data/key          what the container opens
..data     → ..2026_11_21_…      switched by one rename
..2026_…/key                     the content
"""

import os
import secrets
import shutil
from datetime import UTC, datetime
from pathlib import Path

from weft.kubelet.volumes.payload import File, Payload

_DATA = "..data"


def write(directory: Path, payload: Payload, *, group: int | None = None, user: int | None = None) -> bool:
    """Makes `directory` hold exactly `payload`; False where it already does. Safe to repeat after a crash."""
    directory.mkdir(parents=True, exist_ok=True)
    current = directory / _DATA
    if _same(current, payload):
        _link(directory, payload)
        return False
    name = f"..{datetime.now(UTC):%Y_%m_%d_%H_%M_%S}.{secrets.randbelow(10**9)}"
    fresh = directory / name
    fresh.mkdir(mode=0o755)
    fresh.chmod(0o755)
    for path, file in payload.items():
        _write(fresh, path, file, group, user)
    if group is not None:
        _own(fresh, group)
    temporary = directory / f"{_DATA}_tmp"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(name)
    temporary.rename(current)
    _link(directory, payload)
    for old in directory.glob("..2*"):
        if old.name != name:
            shutil.rmtree(old, ignore_errors=True)
    return True


def _same(current: Path, payload: Payload) -> bool:
    if not current.is_dir():
        return False
    found = {str(path.relative_to(current)) for path in current.rglob("*") if not path.is_dir()}
    return found == set(payload) and all((current / path).read_bytes() == f.content for path, f in payload.items())


def _write(fresh: Path, path: str, file: File, group: int | None, user: int | None) -> None:
    target = fresh / path
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(file.content)
        mode = file.mode
        if group is not None:
            os.fchown(stream.fileno(), -1, group)
            mode |= 0o440
        if user is not None and file.mode == 0o600:
            os.fchown(stream.fileno(), user, -1)
        os.fchmod(stream.fileno(), mode)


def _own(fresh: Path, group: int) -> None:
    """Directories get the group, too, and hand it on to what is made in them."""
    for directory, _, _ in os.walk(fresh):
        os.chown(directory, -1, group)
        os.chmod(directory, 0o2755)


def _link(directory: Path, payload: Payload) -> None:
    """One link for each first part of a path; links to what is gone go."""
    names = {path.split("/")[0] for path in payload}
    for name in names:
        link, target = directory / name, f"{_DATA}/{name}"
        if not link.is_symlink():
            link.symlink_to(target)
    for entry in directory.iterdir():
        if not entry.name.startswith("..") and entry.name not in names and entry.is_symlink():
            entry.unlink()
