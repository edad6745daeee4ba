"""Keeps processes running: forks them from one process that has its imports done, and restarts what ends.

One supervisor runs the control plane and the nodes; one more is process 1 of each node. It is synchronous and without
threads on purpose: it forks all its life, and a fork must not inherit half a thread or an event loop.
"""

import gc
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from weft.lab import namespaces

_log = logging.getLogger(__name__)
_BLOCKED = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}
_STEADY = 10.0
"""Seconds after which a process counts as well, and its back-off begins anew."""


@dataclass(frozen=True)
class Child:
    """A process to keep running. `main` is called in the forked child; its result is the exit status."""

    name: str
    main: Callable[[], int]
    log: Path
    new_pid_namespace: bool = False
    grace: float = 3.0
    """Seconds between SIGTERM and SIGKILL."""


@dataclass
class _State:
    child: Child
    pid: int = 0
    started: float = 0.0
    restarts: int = 0
    failures: int = 0
    next_start: float = 0.0
    last_exit: str = ""


@dataclass
class Supervisor:
    """`run()` returns once a SIGTERM has stopped all children; the children named later are stopped first."""

    children: Sequence[Child]
    status: Path
    """A JSON file, replaced at every change: name → pid, restarts, last exit, started (Unix seconds)."""
    _states: list[_State] = field(default_factory=list)

    def run(self) -> int:
        signal.pthread_sigmask(signal.SIG_BLOCK, _BLOCKED)
        gc.collect()
        gc.freeze()  # the collector must not touch, and so copy, the pages that children share
        self._states = [_State(child) for child in self.children]
        while True:
            now = time.monotonic()
            for state in self._states:
                if not state.pid and state.next_start <= now:
                    self._start(state)
            self._write_status()
            received = signal.sigtimedwait(_BLOCKED, self._patience())
            if received and received.si_signo != signal.SIGCHLD:
                self._stop()
                return 0
            self._reap()

    def _patience(self) -> float:
        waiting = [state.next_start for state in self._states if not state.pid]
        return max(0.0, min(waiting) - time.monotonic()) if waiting else 3600.0

    def _start(self, state: _State) -> None:
        state.pid = fork(state.child)
        state.started = time.time()
        _log.info("%s started pid=%d restarts=%d", state.child.name, state.pid, state.restarts)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            for state in self._states:  # as process 1 of a node it also reaps strangers' orphans
                if state.pid == pid:
                    self._ended(state, status)

    def _ended(self, state: _State, status: int) -> None:
        code = os.waitstatus_to_exitcode(status)
        state.last_exit = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        state.failures = 0 if time.time() - state.started > _STEADY else state.failures + 1
        delay = 0.02 if state.failures <= 1 else min(0.1 * 2**state.failures, 10.0)
        state.pid, state.restarts, state.next_start = 0, state.restarts + 1, time.monotonic() + delay
        _log.warning("%s ended with %s, starting again in %.2f s", state.child.name, state.last_exit, delay)

    def _stop(self) -> None:
        for state in reversed(self._states):
            if state.pid:
                _signal(state.pid, signal.SIGTERM)
        deadline = time.monotonic() + max((state.child.grace for state in self._states), default=0)
        while any(state.pid for state in self._states):
            left = deadline - time.monotonic()
            if left <= 0:
                for state in self._states:
                    if state.pid:
                        _signal(state.pid, signal.SIGKILL)
                left = 1.0
            signal.sigtimedwait({signal.SIGCHLD}, left)
            try:
                while (pid := os.waitpid(-1, os.WNOHANG)[0]) > 0:
                    for state in self._states:
                        if state.pid == pid:
                            state.pid = 0
            except ChildProcessError:
                return

    def _write_status(self) -> None:
        document = {
            state.child.name: {
                "pid": state.pid,
                "restarts": state.restarts,
                "lastExit": state.last_exit,
                "started": state.started,
                "log": str(state.child.log),
            }
            for state in self._states
        }
        temporary = self.status.with_suffix(".new")
        temporary.write_text(json.dumps({"pid": os.getpid(), "children": document}))
        temporary.replace(self.status)


def fork(child: Child) -> int:
    """Starts `child` with its output appended to its log; returns the pid."""
    if child.new_pid_namespace:
        namespaces.unshare(namespaces.NEWPID)
    pid = os.fork()
    if pid:
        if child.new_pid_namespace:
            namespaces.enter("/proc/self/ns/pid", namespaces.NEWPID)  # later children stay with us
        return pid
    status = 1
    try:
        _become(child)
        status = child.main()
    except BaseException:
        logging.exception("%s: stopped", child.name)
    finally:
        sys.stderr.flush()
        os._exit(status)


def _become(child: Child) -> None:
    child.log.parent.mkdir(parents=True, exist_ok=True)
    output = os.open(child.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
    null = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    os.dup2(null, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.closerange(3, 256)  # what the parent holds open (a lock, a pipe) is not the child's
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _BLOCKED)


def execute(program: Sequence[str], environment: dict[str, str]) -> Callable[[], int]:
    """A `main` that becomes another program."""

    def main() -> int:
        os.execvpe(program[0], list(program), environment)

    return main


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
