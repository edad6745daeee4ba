"""The lab's place in the cgroup trees: version 2 (systemd's machines) and version 1 or hybrid (cgroups(7))."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


def is_v2() -> bool:
    return (ROOT / "cgroup.controllers").exists()


def hierarchies() -> tuple[Path, ...]:
    """Mount points of all hierarchies that can hold the lab; one with version 2, a dozen with version 1."""
    if is_v2():
        return (ROOT,)
    found = []
    for line in Path("/proc/mounts").read_text().splitlines():
        _, target, kind, *_ = line.split()
        if kind in ("cgroup", "cgroup2") and target.startswith(str(ROOT)):
            found.append(Path(target))
    return tuple(dict.fromkeys(found))


def version2(cgroup: str) -> Path:
    """Where `cgroup` lies in the version 2 hierarchy, which on hybrid machines is beside the others."""
    return (ROOT if is_v2() else ROOT / "unified") / cgroup.lstrip("/")


def create(cgroup: str) -> None:
    """Makes `cgroup` ("/weft/lab/node1") in every hierarchy, with the controllers passed down to it."""
    for root in hierarchies():
        at = root
        for part in Path(cgroup).parts[1:]:
            parent, at = at, at / part
            if is_v2():
                _pass_down(parent)
            at.mkdir(exist_ok=True)
            if (at / "cpuset.cpus").exists() and not is_v2():
                for file in ("cpuset.cpus", "cpuset.mems"):  # version 1: empty at first, and then nothing can join
                    if not (at / file).read_text().strip():
                        (at / file).write_text((parent / file).read_text())
        if is_v2():
            _pass_down(at)


def _pass_down(at: Path) -> None:
    available = (at / "cgroup.controllers").read_text().split()
    enabled = (at / "cgroup.subtree_control").read_text().split()
    for controller in available:
        if controller not in enabled:
            try:
                (at / "cgroup.subtree_control").write_text(f"+{controller}")
            except OSError:
                pass  # in use by processes of the root's own, or threaded: the runtime will say what it misses


def join(cgroup: str) -> None:
    """Moves this process into `cgroup` everywhere. With version 2 into its leaf `system`, for inner nodes hold none."""
    for root in hierarchies():
        at = root / cgroup.lstrip("/")
        if is_v2():
            at = at / "system"
            at.mkdir(exist_ok=True)
        (at / "cgroup.procs").write_text(str(os.getpid()))


def processes(cgroup: str) -> set[int]:
    """All processes at or below `cgroup`, in any hierarchy."""
    found: set[int] = set()
    for at in _directories(cgroup):
        try:
            found |= {int(line) for line in (at / "cgroup.procs").read_text().split()}
        except OSError:
            pass
    return found


def kill(cgroup: str, timeout: float = 3.0) -> None:
    """SIGKILL to everything at or below `cgroup`, again until nothing is left."""
    deadline = time.monotonic() + timeout
    while left := processes(cgroup) - {os.getpid(), 0}:
        if time.monotonic() > deadline:
            raise TimeoutError(f"cgroup {cgroup}: processes {sorted(left)} do not die (stuck in the kernel?)")
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.01)


def remove(cgroup: str) -> None:
    """Removes `cgroup` and what is below it, and its parent `/weft` when it was the last."""
    for at in _directories(cgroup):
        _rmdir(at)
    for root in hierarchies():
        _rmdir(root / Path(cgroup).parts[1])


def _directories(cgroup: str) -> Iterator[Path]:
    """Deepest first."""
    for root in hierarchies():
        for path, _, _ in os.walk(root / cgroup.lstrip("/"), topdown=False):
            yield Path(path)


def _rmdir(at: Path) -> None:
    for _ in range(50):
        try:
            at.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != 16:  # EBUSY: the last task is still leaving
                return
            if next((p for p in at.iterdir() if p.is_dir()), None):
                return
            time.sleep(0.01)
