"""What runs in a lab: processes with their memory and health, nodes with their addresses."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from weft import __version__
from weft.kernel.real import netns
from weft.lab.config import LabConfig
from weft.lab.layout import Layout

_HEALTH = {
    "controllers": "http://127.0.0.1:10257/healthz",
    "scheduler": "http://127.0.0.1:10259/healthz",
    "kubelet": "http://127.0.0.1:10248/healthz",
    "network": "http://127.0.0.1:10251/healthz",
    "proxy": "http://127.0.0.1:10256/healthz",
}


@dataclass(frozen=True, slots=True)
class ComponentStatus:
    name: str
    node: str
    """"" for the control plane."""
    pid: int
    """As this machine counts; 0 while it is down."""
    memory: int
    """Proportional set size in bytes: shared pages count once among all."""
    restarts: int
    last_exit: str
    health: str
    """`ok`, what is wrong, or "" where there is no question to ask."""
    version: str = __version__


def components(config: LabConfig, layout: Layout) -> list[ComponentStatus]:
    """Every process of the lab that a supervisor keeps, asked for its health at the same time."""
    found = list(_processes(config, layout))
    with ThreadPoolExecutor(max_workers=16) as pool:
        healths = list(pool.map(lambda row: _health(layout, row[0], row[1], row[2]), found))
    return [
        ComponentStatus(name, node, pid, _pss(pid), restarts, last_exit, health)
        for (name, node, pid, restarts, last_exit), health in zip(found, healths, strict=True)
    ]


def _processes(config: LabConfig, layout: Layout) -> Iterator[tuple[str, str, int, int, str]]:
    top = _read(layout.supervisor_status)
    yield "supervisor", "", int(top.get("pid", 0)), 0, ""
    nodes = set(config.node_names())
    for name, state in top.get("children", {}).items():
        if name not in nodes:
            yield name, "", state["pid"], state["restarts"], state["lastExit"]
    for node in config.node_names():
        outer = top.get("children", {}).get(node, {})
        outer_pid = outer.get("pid", 0)
        yield "node", node, outer_pid, outer.get("restarts", 0), outer.get("lastExit", "")
        inside = _pids_inside(outer_pid)
        for name, state in _read(layout.node_status(node)).get("children", {}).items():
            yield name, node, inside.get(state["pid"], 0), state["restarts"], state["lastExit"]


def _read(path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return document


def _pids_inside(process_one: int) -> dict[int, int]:
    """Pid in the node's process namespace → pid as this machine counts, of the children of process 1."""
    found = {}
    try:
        children = Path(f"/proc/{process_one}/task/{process_one}/children").read_text().split()
    except OSError:
        return {}
    for pid in children:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        line = next(line for line in status.splitlines() if line.startswith("NSpid:"))
        found[int(line.split()[-1])] = int(pid)
    return found


def _pss(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def _health(layout: Layout, name: str, node: str, pid: int) -> str:
    if not pid:
        return "down"
    if name not in _HEALTH:
        return "ok" if os.path.exists(f"/proc/{pid}") else "down"
    try:
        return netns.run_in(layout.node_netns(node) if node else layout.underlay_netns, _ask, _HEALTH[name])
    except (OSError, URLError) as error:
        return str(getattr(error, "reason", error))


def _ask(url: str) -> str:
    """`ok` where the answer is 200; urlopen raises for all else, with the words of the status line."""
    with urlopen(url, timeout=2):
        return "ok"
