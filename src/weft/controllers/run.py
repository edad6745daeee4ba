"""Runs the control loops: deployments, replica sets, endpoint slices, namespaces, nodes, garbage collection …

Each one is independent; --controllers says which run. They need an API server and nothing else.
"""

import argparse
import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from weft.addresses import overlapping, parse_prefixes
from weft.cluster.objects.resource import Resource
from weft.cluster.real import HttpCluster, load
from weft.controllers.catalog import CONTROLLERS, chosen
from weft.controllers.context import Context, Options
from weft.controllers.discovery import discover
from weft.reconcile.health import HealthServer

_DISCOVERY_FOR = 10.0
_SETTLE_EVERY = 30.0

_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--kubeconfig", metavar="FILE", help="how to reach the API server (default: $KUBECONFIG, then the pod's own)")
    add("--controllers", default="*", metavar="LIST", help="'*' for all, NAME to add one, -NAME to leave one out")
    add("--cluster-cidr", default="", metavar="A[,B]", help="pod ranges, cut into one subnet per node")
    add("--node-cidr-mask-size-ipv4", type=int, default=24, metavar="BITS")
    add("--node-cidr-mask-size-ipv6", type=int, default=64, metavar="BITS")
    add("--service-cluster-ip-range", default="", metavar="A[,B]", help="never given to nodes")
    add("--root-ca-file", type=Path, metavar="FILE", help="published in every namespace as kube-root-ca.crt")
    add("--node-monitor-grace-period", type=float, default=40.0, metavar="SECONDS")
    add("--terminated-pod-gc-threshold", type=int, default=12500, metavar="N")
    add("--bind-address", default="0.0.0.0", metavar="ADDRESS")
    add("--secure-port", type=int, default=10257, metavar="PORT", help="health and metrics; 0 for none")
    add("--leader-elect", nargs="?", const="true", default="false", choices=("true", "false"),
        help="accepted; there is only one of us")  # fmt: skip


def options(args: argparse.Namespace) -> Options:
    """The flags as values. ValueError names the flag that is wrong."""
    cluster = parse_prefixes(args.cluster_cidr, "--cluster-cidr") if args.cluster_cidr else ()
    services = (
        parse_prefixes(args.service_cluster_ip_range, "--service-cluster-ip-range")
        if args.service_cluster_ip_range
        else ()
    )
    for one in cluster:
        for other in services:
            if overlapping((one, other)):
                raise ValueError(f"--cluster-cidr {one} overlaps --service-cluster-ip-range {other} (choose another)")
    if args.root_ca_file and not args.root_ca_file.is_file():
        raise ValueError(f"--root-ca-file {args.root_ca_file}: is not a file (give the cluster's ca.crt)")
    return Options(
        cluster,
        args.node_cidr_mask_size_ipv4,
        args.node_cidr_mask_size_ipv6,
        services,
        args.root_ca_file,
        args.node_monitor_grace_period,
        args.terminated_pod_gc_threshold,
    )


async def run(args: argparse.Namespace) -> int:
    names, chosen_options = chosen(args.controllers), options(args)
    async with HttpCluster(load(args.kubeconfig), "weft-controllers") as cluster:
        context = Context(cluster, chosen_options, Remembered(lambda: discover(cluster)))
        controllers = [(name, CONTROLLERS[name](context)) for name in names]
        health = HealthServer(args.bind_address, args.secure_port) if args.secure_port else None
        if health:
            await health.start()
        _log.info("controllers: %s", ", ".join(names))
        try:
            async with asyncio.TaskGroup() as group:
                for name, controller in controllers:
                    group.create_task(controller.run(), name=name)
                group.create_task(_settle(context))
        finally:
            await context.close()
            if health:
                await health.close()
    return 0


async def _settle(context: Context) -> None:
    while True:
        await asyncio.sleep(_SETTLE_EVERY)
        for cache in context.caches.values():
            cache.settle()


class Remembered:
    """Discovery, asked anew when what is known is older than some seconds."""

    def __init__(self, ask: Callable[[], Awaitable[tuple[Resource, ...]]]) -> None:
        self._ask = ask
        self._known: tuple[Resource, ...] = ()
        self._at = float("-inf")
        self._lock = asyncio.Lock()

    async def __call__(self) -> tuple[Resource, ...]:
        async with self._lock:
            if time.monotonic() - self._at > _DISCOVERY_FOR:
                self._known = await self._ask()
                self._at = time.monotonic()
        return self._known
