"""Makes, limits and removes the control groups of pods; knows version 1, hybrid and version 2 (cgroups(7)).

The kubelet owns everything below CGROUP_ROOT/kubepods. Where a controller is missing its limits are skipped.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from weft.kubelet.pods.resources import PERIOD

_V1 = (
    "cpu", "cpuacct", "cpuset", "memory", "pids", "blkio", "devices", "freezer", "systemd", "hugetlb", "perf_event",
    "unified",
)  # fmt: skip
_V2_WANTED = ("cpuset", "cpu", "io", "memory", "pids", "hugetlb")


class CgroupTree:
    """`mounted`: where the hierarchies are mounted."""

    def __init__(self, mounted: Path = Path("/sys/fs/cgroup")) -> None:
        self._mounted = mounted
        self.unified = (mounted / "cgroup.controllers").exists()

    def container_files(self) -> dict[str, str]:
        """What every container's group holds with version 2, by file name: as the kubelet by default, it is killed as
        a whole when its memory runs out, and never swapped ("Swap memory management", KEP-2400).
        """
        if not self.unified:
            return {}
        files = {"memory.oom.group": "1", "memory.swap.max": "0"}
        return {name: value for name, value in files.items() if any(self._mounted.glob(f"*/{name}"))}

    def ensure(self, path: str, limits: Mapping[str, int] | None = None) -> None:
        """Makes `path` (from the root of the hierarchy) and sets `shares`, `quota` (per 100 ms) and `memory`."""
        for directory in self._directories(path):
            self._make(directory)
        for name, value in (limits or {}).items():
            for file, text in self._setting(name, value):
                self._write(path, file, text)

    def remove(self, path: str) -> None:
        """Removes `path` and all below it; a group that still has processes stays."""
        for directory in self._directories(path):
            for found, _, _ in os.walk(directory, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(found)

    def pods(self, kubepods: str) -> Iterator[str]:
        """Paths of all pods' groups below `kubepods`."""
        base = self._mounted if self.unified else self._mounted / "memory"
        for pattern in ("pod*", "*/pod*"):
            for found in (base / kubepods.lstrip("/")).glob(pattern):
                yield f"/{found.relative_to(base)}"

    def _directories(self, path: str) -> Iterator[Path]:
        if self.unified:
            yield self._mounted / path.lstrip("/")
            return
        seen = set()
        for controller in _V1:
            base = self._mounted / controller
            if base.is_dir() and (real := os.path.realpath(base)) not in seen:  # cpu and cpuacct may be one
                seen.add(real)
                yield Path(real) / path.lstrip("/")

    def _make(self, directory: Path) -> None:
        if directory.is_dir():
            return
        parent = directory.parent
        if parent != self._mounted:
            self._make(parent)
        if self.unified:
            for controller in _V2_WANTED:  # one by one: what the kernel lacks must not hinder the others
                with contextlib.suppress(OSError):
                    (parent / "cgroup.subtree_control").write_text(f"+{controller}")
        with contextlib.suppress(FileExistsError):
            directory.mkdir()
        for name in ("cpuset.cpus", "cpuset.mems"):  # in version 1 an empty set admits no process
            source, target = parent / name, directory / name
            if not self.unified and source.exists() and not target.read_text().strip():
                target.write_text(source.read_text())

    def _setting(self, name: str, value: int) -> Iterator[tuple[str, str]]:
        if self.unified:
            if name == "shares":
                # https://github.com/kubernetes/enhancements/tree/master/keps/sig-node/2254-cgroup-v2
                yield "cpu.weight", str(1 + (value - 2) * 9999 // 262142)
            elif name == "quota":
                yield "cpu.max", f"{value} {PERIOD}"
            elif name == "memory":
                yield "memory.max", str(value)
            return
        if name == "shares":
            yield "cpu/cpu.shares", str(value)
        elif name == "quota":
            yield "cpu/cpu.cfs_period_us", str(PERIOD)
            yield "cpu/cpu.cfs_quota_us", str(value)
        elif name == "memory":
            yield "memory/memory.limit_in_bytes", str(value)

    def _write(self, path: str, file: str, text: str) -> None:
        if self.unified:
            target = self._mounted / path.lstrip("/") / file
        else:
            controller, _, name = file.partition("/")
            target = self._mounted / controller / path.lstrip("/") / name
        with contextlib.suppress(OSError):
            target.write_text(text)
