"""`weft status`."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from weft.cli.found import found
from weft.lab import machine, status

EXAMPLES = """examples:
  weft status
  weft status -o json | jq '.components[] | {name, node, memory}'

The exit status is 0 when everything is well, 1 when something is not, 3 when the lab is stopped.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")


def run(args: argparse.Namespace) -> int:
    config, layout = found(args.name)
    up = bool(machine.supervisor_pid(layout))
    rows = status.components(config, layout) if up else []
    nodes: list[dict[str, Any]] = [
        {"name": node, "addresses": [str(address) for address in config.node_addresses(node)]}
        for node in config.node_names()
    ]
    well = up and all(row.health == "ok" for row in rows)
    if args.output == "json":
        document = {
            "name": config.name,
            "state": "up" if up else "stopped",
            "apiServer": config.api_server,
            "podRanges": config.pod_ranges,
            "serviceRanges": config.service_ranges,
            "nodes": nodes,
            "components": [asdict(row) for row in rows],
        }
        json.dump(document, sys.stdout, indent=2)
        print()
    else:
        print(f"lab {config.name} is {'up' if up else 'stopped'}, API server {config.api_server}")
        print(f"pods {', '.join(config.pod_ranges)}, services {', '.join(config.service_ranges)}\n")
        _table(
            ("COMPONENT", "NODE", "ADDRESS", "PID", "MEMORY", "RESTARTS", "HEALTH"),
            [
                (row.name, row.node or "-", _address(nodes, row), str(row.pid or "-"), f"{row.memory / 1e6:.1f} MB",
                 str(row.restarts), row.health)
                for row in rows
            ],
        )  # fmt: skip
    return 3 if not up else 0 if well else 1


def _address(nodes: Sequence[dict[str, Any]], row: status.ComponentStatus) -> str:
    if row.name != "node":
        return "-"
    return next(",".join(node["addresses"]) for node in nodes if node["name"] == row.node)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
