"""`weft exec`."""

import argparse
import json
import os
from pathlib import Path

from weft.cli.found import running
from weft.lab import cgroups, namespaces
from weft.lab.config import LabConfig
from weft.lab.layout import Layout
from weft.lab.machine import LabError

EXAMPLES = """examples:
  weft exec node1 -- ip route
  weft exec node2 -- nft list ruleset
  weft exec node1 -- ps ax             only the node's own processes
  weft exec control-plane -- ss -ltn
"""
_CONTROL_PLANE = "control-plane"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("node", help="node1, node2 … or control-plane")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="-- CMD [ARG ...]")


def run(args: argparse.Namespace) -> int:
    config, layout = running(args.name)
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    command = command or [os.environ.get("SHELL", "/bin/sh")]
    if args.node == _CONTROL_PLANE:
        namespaces.enter(f"/run/netns/{layout.underlay_netns}", namespaces.NEWNET)
    else:
        _enter(config, layout, args.node)
    if args.node != _CONTROL_PLANE and (pid := os.fork()):  # a process namespace holds only who is born in it
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    try:
        os.execvp(command[0], command)
    except FileNotFoundError:
        raise LabError(f"{command[0]}: there is no such program on this machine") from None


def _enter(config: LabConfig, layout: Layout, node: str) -> None:
    if node not in config.node_names():
        raise LabError(f"there is no node {node!r} (there are: {', '.join(config.node_names())}, {_CONTROL_PLANE})")
    status = json.loads(layout.supervisor_status.read_text())
    pid = status["children"][node]["pid"]
    if not pid:
        raise LabError(f"node {node} is down (weft status shows why)")
    cgroups.join(layout.node_cgroup(node))  # its sockets are the node's sockets, to which its proxy sees
    base = Path(f"/proc/{pid}/ns")
    handles = [(base / "net", namespaces.NEWNET), (base / "uts", namespaces.NEWUTS), (base / "pid", namespaces.NEWPID)]
    for path, kind in handles:
        namespaces.enter(path, kind)
    namespaces.enter(base / "mnt", namespaces.NEWNS)  # last: the paths above are of this mount namespace
