"""Compiles the shim, and the lab's pause program; called when the wheel is built, before anything of Weft is installed:
standard library only."""

import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
NAME = "weft-cni"


def build(target: Path, source: Path = HERE / f"{NAME}.c") -> bool:
    """Writes the executable of one C file to `target`. False where there is no compiler, or it fails."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.new")
    # Static: it starts in half the time. Where the C library has no static half, a dynamic one does.
    for linking in (["-static"], []):
        command = [compiler, "-O2", "-s", "-Wall", "-Wextra", *linking, "-o", str(fresh), str(source)]
        if subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0:
            fresh.rename(target)
            return True
    return False
