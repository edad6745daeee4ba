"""Weft's pod network on this node: bridge, routes to the other nodes, masquerade, and CNI for the container runtime.

Examples:
  weft network --kubeconfig network.conf --node-name node1 --cluster-cidr 10.244.0.0/16
  weft network --kubeconfig network.conf --node-name node1 --cluster-cidr 10.244.0.0/16 --dry-run
"""

import argparse
import asyncio
import logging
import shutil
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial

from weft.cluster.objects.node import Node
from weft.cluster.objects.resource import NODES
from weft.cluster.port import Cluster
from weft.cluster.real import HttpCluster, load
from weft.cluster.reflector import Reflector
from weft.cni.dispatch import Plugin
from weft.cni.plugins.loopback import LoopbackPlugin
from weft.cni.plugins.weft import Attachment, Settings, WeftPlugin
from weft.cni.serve import CniServer
from weft.cni.shim.install import install
from weft.ipam.journal import Journal
from weft.kernel.real import probe, sysctl
from weft.kernel.real.netlink import NetlinkNetwork
from weft.kernel.real.nft import RealNft
from weft.overlay import condition, config, metrics, show
from weft.overlay.agent import Agent
from weft.overlay.config import Config
from weft.overlay.plan import BRIDGE_FILTERING
from weft.reconcile.health import HealthServer
from weft.reconcile.loop import Loop

_log = logging.getLogger(__name__)
_QUIET_SECONDS = 0.02


def add_arguments(parser: argparse.ArgumentParser) -> None:
    config.add_arguments(parser)


async def run(args: argparse.Namespace) -> int:
    settings = config.parse(args)
    cluster = HttpCluster(load(args.kubeconfig), "weft-network")
    try:
        if args.dry_run:
            return await show.show(settings, cluster)
        probe.require("veth", "bridge")
        await _serve(settings, cluster, args.healthz_bind_address, args.healthz_port)
    finally:
        await cluster.close()
    return 0


async def _serve(settings: Config, cluster: Cluster, health_address: str, health_port: int) -> None:
    with ExitStack() as stack:
        plugin, server = _plugin(settings, stack)
        agent = Agent(
            settings,
            NetlinkNetwork(),
            RealNft(),
            configure=_configuring(plugin),
            report_ready=condition.Reporter(cluster, _now),
            bridge_filtering=_has_bridge_filtering(),
        )
        stack.callback(agent.close)
        nodes = Reflector(cluster, NODES, Node, agent.node_changed)
        loop = Loop(agent.step, name="pod network", quiet=_QUIET_SECONDS, resync=60)
        agent.trigger = loop.trigger
        checks = {"network": lambda: agent.not_ready, "cni": server.problem}
        health = HealthServer(health_address, health_port, checks=checks)
        await health.start()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(nodes.run())
                await nodes.synced.wait()
                group.create_task(loop.run())
        finally:
            await health.close()


def _plugin(settings: Config, stack: ExitStack) -> tuple[WeftPlugin, CniServer]:
    """The CNI side, serving: requests that come before the network is ready are told to try again."""
    try:
        journal = Journal(settings.state_dir / "attachments", Attachment)
    except OSError as error:
        raise ValueError(f"--state-dir: cannot write to {settings.state_dir}: {error.strerror}") from None
    plugin = WeftPlugin(journal, NetlinkNetwork)
    plugin.start()
    stack.callback(plugin.close)
    plugins: dict[str, Plugin] = {"weft": plugin, "loopback": LoopbackPlugin(NetlinkNetwork)}
    server = CniServer(settings.socket, plugins, metrics.cni_served)
    server.start()
    stack.callback(server.close)
    install(settings.bin_dir, plugins, settings.socket)
    return plugin, server


def _configuring(plugin: WeftPlugin) -> Callable[[Settings | None, str], None]:
    def configure(settings: Settings | None, why_not: str) -> None:
        plugin.configure(settings, why_not)
        for number, prefix in enumerate(settings.ranges if settings else ()):
            in_use = partial(_in_use, plugin, number)
            metrics.ADDRESSES_IN_USE.labels(str(prefix)).set_function(in_use)

    return configure


def _in_use(plugin: WeftPlugin, number: int) -> int:
    return plugin.addresses_in_use[number]


def _has_bridge_filtering() -> bool:
    """Loads br_netfilter where it is a module that is not loaded."""
    if sysctl.read(BRIDGE_FILTERING) is None and shutil.which("modprobe"):
        subprocess.run(["modprobe", "-q", "br_netfilter"], check=False, stderr=subprocess.DEVNULL)
    if sysctl.read(BRIDGE_FILTERING) is None:
        _log.warning("br_netfilter is missing: pods on this node reach one another by way of the gateway")
        return False
    return True


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
