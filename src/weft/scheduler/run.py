"""Binds every pod that has no node to the best one that can take it; tells in events why some have to wait.

Runs against any API server. Pods of another schedulerName are left alone.
"""

import argparse
import time

from weft.cluster.real import HttpCluster, load
from weft.reconcile.health import HealthServer
from weft.scheduler.scheduler import Scheduler


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--kubeconfig", metavar="FILE", help="how to reach the API server (default: $KUBECONFIG, then the pod's own)")
    add("--bind-address", default="0.0.0.0", metavar="ADDRESS")
    add("--secure-port", type=int, default=10259, metavar="PORT", help="health and metrics; 0 for none")
    add("--leader-elect", nargs="?", const="true", default="false", choices=("true", "false"),
        help="accepted; there is only one of us")  # fmt: skip


async def run(args: argparse.Namespace) -> int:
    async with HttpCluster(load(args.kubeconfig), "weft-scheduler") as cluster:
        scheduler = Scheduler(cluster, clock=time.monotonic, wall_clock=time.time)
        health = None
        if args.secure_port:
            checks = {"informers": lambda: None if scheduler.is_synced() else "pods and nodes are not known yet"}
            health = HealthServer(
                args.bind_address, args.secure_port, checks=checks, metrics=scheduler.metrics.registry
            )
            await health.start()
        try:
            await scheduler.run()
        finally:
            if health:
                await health.close()
    return 0
