"""`weft down`."""

import argparse
import time

from weft.lab import machine
from weft.lab.config import check_name
from weft.lab.layout import Layout

EXAMPLES = """examples:
  weft down                 removes the lab `weft`: namespaces, links, rules, mounts, cgroups, processes, files
  weft down --name two      removes the lab `two`
  weft down --all           removes every lab of this machine
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--all", action="store_true", help="every lab of this machine")


def run(args: argparse.Namespace) -> int:
    for name in machine.names() if args.all else [check_name(args.name)]:
        layout = Layout(name)
        there = layout.state.exists() or layout.run.exists()
        started = time.monotonic()
        if there:
            with machine.locked(layout):
                machine.remove(layout)
        else:
            machine.remove(layout)  # a killed start may have left namespaces, and nothing else
        took = f" after {time.monotonic() - started:.1f} s"
        print(f"lab {name} is gone{took}" if there else f"there is no lab {name}")
    return 0
