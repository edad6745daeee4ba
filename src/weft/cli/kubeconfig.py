"""`weft kubeconfig`."""

import argparse
import sys

from weft.cli.found import found

EXAMPLES = """examples:
  weft kubeconfig > ~/.kube/config
  export KUBECONFIG=$(weft kubeconfig --path)
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--path", action="store_true", help="print where the file lies instead")


def run(args: argparse.Namespace) -> int:
    _, layout = found(args.name)
    sys.stdout.write(f"{layout.admin_kubeconfig}\n" if args.path else layout.admin_kubeconfig.read_text())
    return 0
