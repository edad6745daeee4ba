"""Puts the shim into a runtime's directory of CNI plugins."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

_HERE = Path(__file__).parent
COMPILED = _HERE / "weft-cni"
_SOCKET_NAME = "weft-cni.sock"


def install(directory: Path, names: Iterable[str], socket: Path, compiled: Path = COMPILED) -> None:
    """Makes `directory`/NAME for each name, and the link by which they find `socket`. Each appears by rename, so that
    a runtime starts the old or the new one. Raises ValueError that names the directory where it cannot be written."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _link(socket, directory / _SOCKET_NAME)
        content = executable(compiled)
        for name in names:
            _write(directory / name, content)
    except OSError as error:
        raise ValueError(f"cni-bin-dir: cannot write to {directory}: {error.strerror}") from None


def executable(compiled: Path) -> bytes:
    """The compiled shim, or the one in Python where the wheel was built without a compiler."""
    if compiled.exists():
        return compiled.read_bytes()
    return f"#!{sys.executable} -ISs\n".encode() + (_HERE / "fallback.py").read_bytes()


def _write(path: Path, content: bytes) -> None:
    if path.is_file() and not path.is_symlink() and path.read_bytes() == content:
        return
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_bytes(content)
    fresh.chmod(0o755)
    fresh.rename(path)


def _link(target: Path, path: Path) -> None:
    if path.is_symlink() and path.readlink() == target.absolute():
        return
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target.absolute())
    fresh.rename(path)
