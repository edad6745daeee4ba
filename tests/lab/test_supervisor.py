"""The supervisor restarts what ends, stops in order, and writes what it knows."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

SCRIPT = """
import signal, sys
from pathlib import Path
from weft.lab.supervisor import Child, Supervisor, execute

kind, here = sys.argv[1], Path(sys.argv[2])

def sleep():
    signal.pause()
    return 0

def stubborn():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return ready()

def ready():
    (here / "ready").touch()
    while True:
        signal.pause()

main = {
    "sleep": sleep, "stubborn": stubborn, "ready": ready,
    "false": execute(["/bin/false"], {}), "echo": execute(["/bin/echo", "hello"], {}),
    "ls": execute(["/bin/ls", "-l", "/proc/self/fd"], {}),
}[kind]
sys.exit(Supervisor([Child("one", main, here / "deep" / "one.log", grace=0.2)], here / "status.json").run())
"""


@contextmanager
def supervised(tmp_path: Path, kind: str, **options: Any) -> Iterator[int]:
    """A supervisor of one child, in a process of its own: a test's process has threads, which do not survive forks."""
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, kind, str(tmp_path)], **options)
    try:
        _until((tmp_path / "status.json").exists)
        yield process.pid
    finally:
        process.kill()
        process.wait()
        for state in _children(tmp_path).values():
            if state["pid"]:
                _kill(state["pid"])


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _children(tmp_path: Path) -> dict[str, dict[str, int]]:
    children: dict[str, dict[str, int]] = json.loads((tmp_path / "status.json").read_text())["children"]
    return children


def _until(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not check():
        assert time.monotonic() < deadline, "did not happen within 10 s"
        time.sleep(0.005)


def test_a_killed_child_is_back_with_another_pid(tmp_path: Path) -> None:
    with supervised(tmp_path, "sleep"):
        first = _children(tmp_path)["one"]["pid"]
        os.kill(first, signal.SIGKILL)
        _until(lambda: _children(tmp_path)["one"]["pid"] not in (0, first))
        state = _children(tmp_path)["one"]
        assert state["restarts"] == 1
        assert state["lastExit"] == "signal SIGKILL"


def test_a_child_that_keeps_failing_is_started_more_and_more_slowly(tmp_path: Path) -> None:
    with supervised(tmp_path, "false"):
        _until(lambda: _children(tmp_path)["one"]["restarts"] >= 3)
        time.sleep(0.5)
        assert _children(tmp_path)["one"]["restarts"] < 6


def test_output_goes_to_the_log(tmp_path: Path) -> None:
    log = tmp_path / "deep" / "one.log"
    with supervised(tmp_path, "echo"):
        _until(lambda: log.exists() and "hello\n" in log.read_text())


@pytest.mark.parametrize("kind", ["ready", "stubborn"])
def test_sigterm_ends_all_children_stubborn_ones_too(tmp_path: Path, kind: str) -> None:
    with supervised(tmp_path, kind) as pid:
        _until((tmp_path / "ready").exists)
        inner = _children(tmp_path)["one"]["pid"]
        os.kill(pid, signal.SIGTERM)
        _until(lambda: not os.path.exists(f"/proc/{inner}"))


def test_descriptors_of_the_parent_do_not_leak(tmp_path: Path) -> None:
    secret = os.open(tmp_path / "secret", os.O_CREAT | os.O_RDWR)
    log = tmp_path / "deep" / "one.log"
    try:
        with supervised(tmp_path, "ls", pass_fds=(secret,)):
            _until(lambda: log.exists() and "total" in log.read_text() and "2 ->" in log.read_text())
            assert "secret" not in log.read_text()
    finally:
        os.close(secret)
