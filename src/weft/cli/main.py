"""`weft COMMAND …`: finds the command's module, and only that one is imported."""

import argparse
import importlib
import sys
from collections.abc import Sequence

import weft

COMMANDS = {
    "up": "start a lab, or start it again",
    "down": "remove a lab without a trace",
    "stop": "end a lab's processes and keep its state",
    "status": "show nodes, addresses and components",
    "kubeconfig": "print the kubeconfig of a lab",
    "kubectl": "run kubectl against a lab",
    "exec": "run a command in a node's namespaces",
    "logs": "show what a component wrote",
    "images": "list, load and build images",
    "completion": "print a completion script for your shell",
}
COMPONENTS = {
    "apiserver": ("weft.apiserver.run", "the Kubernetes API server"),
    "controllers": ("weft.controllers.run", "the controller manager"),
    "scheduler": ("weft.scheduler.run", "the scheduler"),
    "kubelet": ("weft.kubelet.run", "the node agent"),
    "network": ("weft.overlay.run", "the pod network of a node, with its CNI plugin"),
    "proxy": ("weft.proxy.run", "the service proxy of a node"),
    "dns": ("weft.dns.run", "the cluster's DNS server"),
}


def _usage() -> str:
    width = max(map(len, (*COMMANDS, *COMPONENTS)))
    lab = "\n".join(f"  {name:<{width}}  {text}" for name, text in COMMANDS.items())
    components = "\n".join(f"  {name:<{width}}  {text}" for name, (_, text) in COMPONENTS.items())
    return f"""usage: weft COMMAND [OPTION ...]

A Kubernetes cluster of several nodes on this machine, and each of its parts alone.

a lab:
{lab}

its components, each against any API server:
{components}

examples:
  weft up --demo                        three nodes and a small web application
  weft kubectl get pods -o wide         or: export KUBECONFIG=$(weft kubeconfig --path)
  weft down                             all of it gone

`weft COMMAND --help` tells more. weft {weft.__version__}
"""


def main(argv: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_usage(), end="")
        return 0 if arguments else 2
    name, *rest = arguments
    if name in ("--version", "version"):
        print(f"weft {weft.__version__}")
        return 0
    if name in COMPONENTS:
        from weft import process

        return process.main(name, importlib.import_module(COMPONENTS[name][0]), rest)
    if name in COMMANDS:
        return _command(name, rest)
    import difflib

    near = difflib.get_close_matches(name, (*COMMANDS, *COMPONENTS), 1)
    hint = f"did you mean {near[0]}?" if near else "see weft --help"
    print(f"weft: there is no command {name!r} ({hint})", file=sys.stderr)
    return 2


def _command(name: str, argv: Sequence[str]) -> int:
    module = importlib.import_module(f"weft.cli.{name}")
    parser = argparse.ArgumentParser(
        prog=f"weft {name}",
        description=COMMANDS[name][0].upper() + COMMANDS[name][1:] + ".",
        epilog=module.EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if name != "completion":
        parser.add_argument("--name", default="weft", help="which lab (default: weft)")
    module.add_arguments(parser)
    try:
        return int(module.run(parser.parse_args(argv)))
    except BrokenPipeError:
        sys.stderr.close()
        return 141
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        status = _exit_status(error)
        if status is None:
            raise
        print(f"weft {name}: {error}", file=sys.stderr)
        return status


def _exit_status(error: Exception) -> int | None:
    """2 for what the user should say otherwise, 1 for what went wrong, None for a defect of ours."""
    from weft.cluster.errors import ApiError
    from weft.lab.machine import LabError

    if isinstance(error, ValueError):
        return 2
    return 1 if isinstance(error, OSError | ApiError | LabError) else None


if __name__ == "__main__":
    sys.exit(main())
