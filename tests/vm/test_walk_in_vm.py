"""Debian's kernel with modules and cgroup version 2: it boots, has what it should have, and a lab lives on it."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.vm import walk
from tools import vm

from weft.lab import system
from weft.lab.images.store import ImageStore
from weft.lab.layout import IMAGE_CACHE

pytestmark = [pytest.mark.vm, pytest.mark.timeout(5400)]

REPOSITORY = Path(__file__).parents[2]
BOOT, WALK, KERNEL_TESTS = 300, 3600, 2400
"""Seconds on a machine that has other work, too."""


@pytest.fixture(scope="module", autouse=True)
def _prepared() -> None:
    if problem := next(vm.default_cache().problems(), None):
        pytest.skip(problem)


def run(*command: str, share: Path | None = None, timeout: int = BOOT) -> "subprocess.CompletedProcess[str]":
    arguments = ["--timeout", str(timeout), *(["--share", str(share)] if share else [])]
    return subprocess.run(
        [sys.executable, "tools/vm.py", "run", *arguments, "--", *command],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=timeout + 60, check=False,
    )  # fmt: skip


def test_a_command_runs_and_its_status_comes_back() -> None:
    done = run("sh", "-c", "uname -r; cat /sys/fs/cgroup/cgroup.controllers; modprobe dummy && exit 7")
    assert (done.returncode, done.stderr) == (7, "")
    release, controllers = done.stdout.splitlines()
    assert release.endswith("-amd64")
    assert {"cpu", "memory", "pids"} <= set(controllers.split())


def test_the_kernel_has_what_kernels_without_modules_lack() -> None:
    done = run(sys.executable, "tools/vm_features.py", "-o", "json")
    assert done.returncode == 0, done.stderr
    table = json.loads(done.stdout)
    absent = {feature for features in table.values() for feature, has in features.items() if not has}
    assert absent <= {"netkit"}, "of a kernel older than 6.7"


def test_what_speaks_to_the_kernel_passes_its_tests_there() -> None:
    """Debian's kernel is older than most. What measures time, as the Services' tests do, has no place here."""
    done = run(
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "root and not e2e and not peer",
        "-o", "timeout=600", "tests/kernel", "tests/cni", "tests/overlay", "tests/proxy/suite/test_conntrack.py",
        timeout=KERNEL_TESTS,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr


@pytest.fixture(scope="module")
def walked() -> Iterator[dict[str, dict[str, Any]]]:
    """What the steps of the walk reported."""
    with tempfile.TemporaryDirectory(prefix="weft-vm-") as name:
        share = Path(name)
        _build_system_images(share / "images")
        done = run(sys.executable, "-m", "tests.vm.walk", "/run/share", share=share, timeout=WALK)
        print(done.stdout + done.stderr)
        report = share / "report.json"
        yield json.loads(report.read_text()) if report.exists() else {}


def _build_system_images(copy: Path) -> None:
    """The cache that `weft up` looks into: what takes seconds here takes minutes there.

    As a copy, since the cache of this machine may change while the other one runs.
    """
    known = system.image_definitions()
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("pause", "weft"):
            system.build_into(ImageStore(Path(scratch)), name, known[name], print)
    shutil.copytree(IMAGE_CACHE, copy)


@pytest.mark.parametrize("step", [step.__name__ for step in walk.STEPS])
def test_walk(walked: dict[str, dict[str, Any]], step: str) -> None:
    assert step in walked, "the walk did not come to this step"
    assert not walked[step]["failure"], walked[step]["failure"]
