"""Makes Services work on this node: programs where each of their addresses and ports leads.

Examples:
  weft proxy --kubeconfig /etc/kubernetes/proxy.conf --hostname-override node1 --cluster-cidr 10.244.0.0/16
  weft proxy --config /var/lib/kube-proxy/config.conf
  weft proxy --kubeconfig ~/.kube/config --dry-run
  weft proxy --cleanup
"""

import argparse
import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from weft.addresses import Address, Prefix
from weft.cluster.errors import ApiError
from weft.cluster.events import EventRecorder, reference
from weft.cluster.objects.node import Node
from weft.cluster.objects.resource import ENDPOINT_SLICES, NODES, SERVICES
from weft.cluster.objects.service import Service
from weft.cluster.port import Cluster
from weft.cluster.real import HttpCluster, load
from weft.cluster.reflector import Reflector
from weft.kernel.conntrack import Conntrack
from weft.kernel.nft import NftError, Watch
from weft.kernel.real.conntrack import RealConntrack
from weft.kernel.real.netlink import NetlinkNetwork
from weft.proxy import words
from weft.proxy.checkports import CheckPorts
from weft.proxy.config import Config, add_arguments, from_arguments
from weft.proxy.health import Health, HealthPort
from weft.proxy.metrics import Metrics
from weft.proxy.model import HEADLESS_LABEL, PROXY_NAME_LABEL, NodeView
from weft.proxy.modes import cleanup, open_mode, shown
from weft.proxy.node import view
from weft.proxy.objects import EndpointSlice
from weft.proxy.plan import Mode
from weft.proxy.planner import Planner
from weft.proxy.ranges import ServiceRanges
from weft.proxy.syncer import Syncer
from weft.reconcile.health import HealthServer
from weft.reconcile.loop import Loop

__all__ = ["add_arguments", "run"]
_log = logging.getLogger(__name__)
_PATIENCE = 0.1
_OURS = f"!{HEADLESS_LABEL},!{PROXY_NAME_LABEL}"


async def run(args: argparse.Namespace) -> int:
    """Runs until cancelled. What was programmed stays: Services go on working while the proxy is away."""
    config = from_arguments(args)
    if config.cleanup:
        return await _cleanup(config)
    async with HttpCluster(load(config.kubeconfig), "weft-proxy") as cluster:
        if config.dry_run:
            return await _dry_run(config, cluster)
        try:
            mode, conntrack = open_mode(config), RealConntrack()
        except (NftError, OSError) as error:
            raise ValueError(str(error)) from None
        try:
            await Proxy(config, cluster, mode, conntrack).run()
        finally:
            mode.close()
            conntrack.close()
    return 0


async def _cleanup(config: Config) -> int:
    try:
        await cleanup(config)
    except (NftError, OSError) as error:
        raise ValueError(str(error)) from None
    return 0


async def _dry_run(config: Config, cluster: Cluster) -> int:
    """Prints what every address and port would do, and the transaction that would make it so."""
    try:
        node = await cluster.get(NODES, config.node, as_=Node)
        services = await cluster.list(SERVICES, as_=Service, label_selector=_OURS)
        slices = await cluster.list(ENDPOINT_SLICES, as_=EndpointSlice, label_selector=_OURS)
    except ApiError as error:
        raise ValueError(f"cannot read the cluster: {error}") from None
    planner = Planner(view(config.node, node, config.port_ranges, ()))
    for one in services.items:
        planner.set_service(one.metadata.key, one)
    for item in slices.items:
        planner.set_slice(None, item)
    entries = planner.everything()
    for at, entry in sorted(entries.items()):
        print(words.describe(at, entry))
    print(shown(config, entries), end="")
    return 0


class Proxy:
    """The wiring: reflectors → syncer → mode, a loop that decides when, and the two ports."""

    def __init__(self, config: Config, cluster: Cluster, mode: Mode, conntrack: Conntrack) -> None:
        self.config = config
        self.metrics = Metrics()
        self.health = Health(asyncio.get_running_loop().time, 2 * config.sync_period)
        self.events = EventRecorder(cluster, "kube-proxy", config.node)
        self.syncer = Syncer(mode, conntrack, NodeView(config.node), self.health, self.metrics, self._complain)
        self.checks = CheckPorts(lambda: self.health.healthy, self._complain)
        self.loop = Loop(self._step, name="sync", quiet=config.min_sync_period, resync=config.sync_period)
        self.ranges = ServiceRanges(cluster, config.service_ranges, self._on_ranges)
        self._service_ranges: tuple[Prefix, ...] | None = config.service_ranges
        self._mode = mode
        self._node: Node | None = None
        self.services = Reflector(cluster, SERVICES, Service, self.syncer.on_service, label_selector=_OURS)
        self.slices = Reflector(cluster, ENDPOINT_SLICES, EndpointSlice, self.syncer.on_slice, label_selector=_OURS)
        self.nodes = Reflector(cluster, NODES, Node, self._on_node, field_selector=f"metadata.name={config.node}")
        self.services.subscribe(lambda *_: self._changed())
        self.slices.subscribe(lambda *_: self._changed())

    async def run(self) -> None:
        async with self._surroundings(), asyncio.TaskGroup() as group:
            for reflector in (self.services, self.slices, self.nodes):
                group.create_task(reflector.run())
            for reflector in (self.services, self.slices, self.nodes):
                await reflector.synced.wait()
            _log.info(
                "node=%s services=%d slices=%d", self.config.node, len(self.services.objects), len(self.slices.objects)
            )
            if self._node is None:
                _log.warning("there is no Node %s yet: NodePorts answer nowhere", self.config.node)
            group.create_task(self.loop.run())
            group.create_task(self.ranges.run())

    @contextlib.asynccontextmanager
    async def _surroundings(self) -> AsyncIterator[None]:
        """The ports that answer, and the ear for what others do to our tables."""
        async with contextlib.AsyncExitStack() as stack:
            if watch := self._mode.watch():
                events = asyncio.get_running_loop()
                stack.callback(watch.close)
                events.add_reader(watch.fileno(), self._on_foreign, watch)
                stack.callback(events.remove_reader, watch.fileno())
            if self.config.healthz:
                port = HealthPort(self.health, self.metrics, *self.config.healthz)
                await port.start()
                stack.push_async_callback(port.close)
            if self.config.metrics:
                server = HealthServer(*self.config.metrics, metrics=self.metrics.registry)
                await server.start()
                stack.push_async_callback(server.close)
            stack.push_async_callback(self.checks.close)
            stack.push_async_callback(self.events.close)
            yield

    def _on_node(self, _key: str, _old: Node | None, new: Node | None) -> None:
        self._node = self.health.node = new
        if new is None:
            _log.warning("there is no Node %s: NodePorts answer nowhere", self.config.node)
        self._changed()

    def _changed(self) -> None:
        if self.services.synced.is_set() and self.slices.synced.is_set():
            self.health.queued()
            self.metrics.last_queued.set_to_current_time()
            self.loop.trigger()

    def _on_foreign(self, watch: Watch) -> None:
        if watch.read():
            _log.warning("another program changed what was programmed: putting it right")
            self.syncer.recheck()
            # A program that does so over and over must not keep us busy with nothing else.
            asyncio.get_running_loop().call_later(_PATIENCE, self.loop.trigger)

    def _on_ranges(self, ranges: tuple[Prefix, ...]) -> None:
        self._service_ranges = ranges
        self._changed()

    async def _step(self) -> None:
        if self._service_ranges is not None:
            self._mode.set_service_ranges(self._service_ranges)
            self._service_ranges = None
        self.syncer.planner.set_node(view(self.config.node, self._node, self.config.port_ranges, self._own_addresses()))
        if not self.syncer.planner.pending and not self._mode.intact():
            _log.warning("another program changed what was programmed: doing it anew")
            self.syncer.recheck()
        await self.syncer.step()
        await self.checks.sync(self.syncer.checks(), [str(one) for one in self.syncer.planner.node.port_addresses])

    def _complain(self, key: str, reason: str, what: str) -> None:
        if service := self.services.objects.get(key):
            self.events.event(reference(SERVICES, service), "Warning", reason, what)

    def _own_addresses(self) -> tuple[Address, ...]:
        if self.config.port_ranges is None:
            return ()
        with NetlinkNetwork() as network:
            held = network.observe(links=False, routes=False, neighbours=False)
        return tuple(one.interface.ip for one in held.addresses)
