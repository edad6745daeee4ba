"""`weft kubectl`."""

import argparse
import os
import shutil

from weft.cli.found import found
from weft.lab.machine import LabError

EXAMPLES = """examples:
  weft kubectl get nodes -o wide
  weft kubectl --name two get pods -A
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="for kubectl")


def run(args: argparse.Namespace) -> int:
    _, layout = found(args.name)
    program = shutil.which("kubectl")
    if program is None:
        raise LabError("kubectl is not on this machine (kubernetes.io/docs/tasks/tools tells how to install it)")
    os.execve(program, ["kubectl", *args.arguments], {**os.environ, "KUBECONFIG": str(layout.admin_kubeconfig)})
