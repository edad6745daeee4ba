"""`weft stop`."""

import argparse

from weft.lab import machine
from weft.lab.config import check_name
from weft.lab.layout import Layout
from weft.lab.machine import LabError

EXAMPLES = """examples:
  weft stop      ends all processes of the lab, pods too, as if its machines were switched off
  weft up        starts it again: objects, images and volumes are as they were
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    pass


def run(args: argparse.Namespace) -> int:
    layout = Layout(check_name(args.name))
    config = machine.saved(layout)
    if config is None:
        raise LabError(f"there is no lab {args.name} (weft up --name {args.name} makes it)")
    with machine.locked(layout):
        machine.stop(config, layout)
    print(f"lab {args.name} is stopped (weft up --name {args.name} starts it again)")
    return 0
