"""A lab for tests: brought up and removed by the `weft` command, spoken to by `kubectl`."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WEFT = str(Path(sys.executable).parent / "weft")


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


def call(*command: str, stdin: str = "", timeout: float = 60, env: dict[str, str] | None = None) -> Done:
    done = subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, **(env or {})},
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


class Lab:
    def __init__(self, name: str) -> None:
        self.name = name
        self.kubeconfig = f"/var/lib/weft/{name}/kubeconfig"

    def weft(self, verb: str, *arguments: str, timeout: float = 120) -> Done:
        return call(WEFT, verb, "--name", self.name, *arguments, timeout=timeout)

    def up(self, *arguments: str) -> None:
        done = self.weft("up", *arguments)
        assert done.code == 0, done.err + self.logs()

    def down(self) -> None:
        done = self.weft("down")
        assert done.code == 0, done.err

    def logs(self) -> str:
        """The end of every log, for a failed test to show."""
        return "".join(
            f"\n== {path.relative_to('/var/log/weft')}\n{path.read_text(errors='replace')[-1500:]}"
            for path in sorted(Path(f"/var/log/weft/{self.name}").rglob("*.log"))
        )

    def try_kubectl(self, *arguments: str, stdin: str = "", timeout: float = 60) -> Done:
        return call("kubectl", *arguments, stdin=stdin, timeout=timeout, env={"KUBECONFIG": self.kubeconfig})

    def kubectl(self, *arguments: str, stdin: str = "", timeout: float = 60) -> str:
        done = self.try_kubectl(*arguments, stdin=stdin, timeout=timeout)
        assert done.code == 0, f"kubectl {' '.join(arguments)}: {done.err}{done.out}"
        return done.out

    def get(self, *arguments: str) -> Any:
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def apply(self, manifest: str, namespace: str = "default") -> None:
        self.kubectl("apply", "-n", namespace, "-f", "-", stdin=manifest)

    def status(self) -> Any:
        return json.loads(self.weft("status", "-o", "json").out)

    def component(self, name: str, node: str = "") -> Any:
        return next(c for c in self.status()["components"] if c["name"] == name and c["node"] == node)

    def node_address(self, node: str) -> str:
        address: str = next(n for n in self.status()["nodes"] if n["name"] == node)["addresses"][0]
        return address


def until(check: Callable[[], Any], what: str, timeout: float = 30) -> Any:
    """Waits for a true value; what was seen last is in the failure."""
    deadline = time.monotonic() + timeout
    while True:
        seen = check()
        if seen:
            return seen
        assert time.monotonic() < deadline, f"{what}: not within {timeout:.0f} s"
        time.sleep(0.1)
