"""The supervisor restarts what ends, stops in order, and writes what it knows."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from weft.lab.supervisor import Child, Supervisor, execute


@contextmanager
def supervised(tmp_path: Path, *children: Child) -> Iterator[int]:
    status = tmp_path / "status.json"
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(Supervisor(children, status).run())
        finally:
            os._exit(70)
    try:
        _until(status.exists)
        yield pid
    finally:
        for state in _children(tmp_path).values():
            if state["pid"]:
                _kill(state["pid"])
        _kill(pid)
        os.waitpid(pid, 0)


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


def _sleep() -> int:
    signal.pause()
    return 0


def test_a_killed_child_is_back_with_another_pid(tmp_path: Path) -> None:
    with supervised(tmp_path, Child("one", _sleep, tmp_path / "one.log")):
        first = _children(tmp_path)["one"]["pid"]
        os.kill(first, signal.SIGKILL)
        _until(lambda: _children(tmp_path)["one"]["pid"] not in (0, first))
        state = _children(tmp_path)["one"]
        assert state["restarts"] == 1
        assert state["lastExit"] == "signal SIGKILL"


def test_a_child_that_keeps_failing_is_started_more_and_more_slowly(tmp_path: Path) -> None:
    with supervised(tmp_path, Child("bad", execute(["/bin/false"], {}), tmp_path / "bad.log")):
        _until(lambda: _children(tmp_path)["bad"]["restarts"] >= 3)
        time.sleep(0.5)
        assert _children(tmp_path)["bad"]["restarts"] < 6


def test_output_goes_to_the_log(tmp_path: Path) -> None:
    log = tmp_path / "deep" / "echo.log"
    with supervised(tmp_path, Child("echo", execute(["/bin/echo", "hello"], {}), log)):
        _until(lambda: log.exists() and "hello\n" in log.read_text())


@pytest.mark.parametrize("stubborn", [False, True])
def test_sigterm_ends_all_children_stubborn_ones_too(tmp_path: Path, stubborn: bool) -> None:
    def child() -> int:
        if stubborn:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        (tmp_path / "ready").touch()
        while True:
            signal.pause()

    with supervised(tmp_path, Child("one", child, tmp_path / "one.log", grace=0.2)) as pid:
        _until((tmp_path / "ready").exists)
        inner = _children(tmp_path)["one"]["pid"]
        os.kill(pid, signal.SIGTERM)
        _until(lambda: not os.path.exists(f"/proc/{inner}"))


def test_descriptors_of_the_parent_do_not_leak(tmp_path: Path) -> None:
    secret = os.open(tmp_path / "secret", os.O_CREAT | os.O_RDWR)
    os.set_inheritable(secret, True)
    log = tmp_path / "ls.log"
    try:
        with supervised(tmp_path, Child("ls", execute(["/bin/ls", "-l", "/proc/self/fd"], {}), log)):
            _until(lambda: log.exists() and "total" in log.read_text() and "2 ->" in log.read_text())
            assert "secret" not in log.read_text()
    finally:
        os.close(secret)
