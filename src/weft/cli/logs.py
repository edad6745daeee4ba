"""`weft logs`."""

import argparse
import sys
import time
from collections import deque
from pathlib import Path

from weft.cli.found import found
from weft.lab.machine import LabError

EXAMPLES = """examples:
  weft logs apiserver
  weft logs proxy --node node2 -f
  weft logs kubelet --tail 20           of every node, each line with the node's name
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("component", help="supervisor, apiserver, controllers, scheduler, gateway, or of a node: "
                        "kubelet, network, proxy, containerd, node")  # fmt: skip
    parser.add_argument("--node", default="", help="node1, node2 … (default: all that have the component)")
    parser.add_argument("-f", "--follow", action="store_true", help="go on as lines come")
    parser.add_argument("--tail", type=int, default=-1, metavar="N", help="only the last N lines")


def run(args: argparse.Namespace) -> int:
    config, layout = found(args.name)
    places = [("", layout.component_log(args.component))]
    places += [(node, layout.component_log(args.component, node)) for node in config.node_names()]
    files = {node: path for node, path in places if path.exists() and args.node in ("", node)}
    if not files:
        known = sorted({path.stem for path in layout.log.rglob("*.log")})
        of = f" of node {args.node}" if args.node else ""
        raise LabError(f"there is no log of {args.component!r}{of} (there are: {', '.join(known)})")
    offsets = {node: _show(path, _prefix(node, files), args.tail) for node, path in files.items()}
    while args.follow:
        time.sleep(0.2)
        for node, path in files.items():
            offsets[node] = _rest(path, _prefix(node, files), offsets[node])
    return 0


def _prefix(node: str, files: dict[str, Path]) -> str:
    return f"{node} | " if len(files) > 1 else ""


def _show(path: Path, prefix: str, tail: int) -> int:
    with path.open(errors="replace") as file:
        for line in deque(file, maxlen=tail) if tail >= 0 else file:
            sys.stdout.write(prefix + line)
        return file.tell() if tail >= 0 else path.stat().st_size


def _rest(path: Path, prefix: str, offset: int) -> int:
    with path.open(errors="replace") as file:
        file.seek(offset if path.stat().st_size >= offset else 0)
        while (line := file.readline()).endswith("\n"):
            sys.stdout.write(prefix + line)
            offset = file.tell()
    sys.stdout.flush()
    return offset
