"""The node agent: runs the pods that are bound to this node, in a container runtime (CRI).

Registers the Node and keeps its status and Lease, starts and ends pods, probes them, gives them volumes, environment,
/etc/hosts and /etc/resolv.conf, and serves logs, exec, attach and port-forward to the API server.

  weft kubelet --kubeconfig node1.conf --node-name node1 --node-ip 172.30.0.11 \\
      --container-runtime-endpoint unix:///run/containerd/containerd.sock --cluster-dns 10.96.0.10
"""

import argparse
import asyncio
import logging
import socket
from dataclasses import replace
from pathlib import Path

from weft.cluster.events import EventRecorder, reference
from weft.cluster.objects.container import Container
from weft.cluster.objects.pod import Pod
from weft.cluster.objects.resource import PODS, SERVICES
from weft.cluster.objects.service import Service
from weft.cluster.port import Cluster
from weft.cluster.real import HttpCluster, load
from weft.cluster.reflector import Reflector
from weft.kubelet import config as flags
from weft.kubelet.agent import PodAgent
from weft.kubelet.cgroups.tree import CgroupTree
from weft.kubelet.config import Config
from weft.kubelet.cri.client import Runtime
from weft.kubelet.env.fields import Placement
from weft.kubelet.logs.rotate import rotate_for_ever
from weft.kubelet.node.facts import address_towards, machine_facts
from weft.kubelet.node.reporter import NodeReporter
from weft.kubelet.node.status import memory_bytes, resources
from weft.kubelet.plan import plan
from weft.kubelet.pods.identity import field_path
from weft.kubelet.pods.images import ImagePuller
from weft.kubelet.pods.services import NodeServices
from weft.kubelet.probes.prober import Prober
from weft.kubelet.server.serve import KubeletServer
from weft.kubelet.status.writer import StatusWriter
from weft.kubelet.volumes.manager import VolumeManager
from weft.kubelet.volumes.objects import ObjectReader
from weft.reconcile.health import HealthServer

add_arguments = flags.add_arguments
_log = logging.getLogger(__name__)


async def run(args: argparse.Namespace) -> int:
    config = flags.from_arguments(args, socket.gethostname())
    access = load(config.kubeconfig)
    if not config.node_addresses:
        config = replace(config, node_addresses=(address_towards(access.server),))
    async with HttpCluster(access, f"weft-kubelet/{config.node_name}") as cluster:
        if args.dry_run:
            listed = await cluster.list(PODS, as_=Pod, field_selector=f"spec.nodeName={config.node_name}")
            print("\n".join(plan(config, machine_facts(Path("/")), listed.items)))
        else:
            await serve(config, cluster)
    return 0


async def serve(config: Config, cluster: Cluster) -> None:
    """Runs until cancelled. Pods go on when it ends; the next agent finds them."""
    kubelet = Kubelet(config, cluster)
    try:
        await kubelet.run()
    finally:
        await kubelet.close()


class Kubelet:
    """The wiring, and nothing else."""

    def __init__(self, config: Config, cluster: Cluster) -> None:
        config.root_dir.mkdir(parents=True, exist_ok=True)
        facts = machine_facts(config.root_dir)
        found = resources(config, facts)
        self._recorder = EventRecorder(cluster, "kubelet", config.node_name)
        runtime, reader = Runtime(config.runtime_endpoint), ObjectReader(cluster)
        self.node = NodeServices(
            config=config,
            cluster=cluster,
            runtime=runtime,
            volumes=VolumeManager(cluster, reader, config.root_dir, self._placement),
            reader=reader,
            images=ImagePuller(runtime, reader, self._tell),
            prober=Prober(runtime, self._tell, lambda uid: self.agent.wake(uid)),
            statuses=StatusWriter(cluster),
            services=Reflector(cluster, SERVICES, Service),
            cgroups=CgroupTree(),
            tell=self._tell,
            memory_capacity=memory_bytes(found),
            allocatable=found.allocatable,
        )
        self.agent = PodAgent(self.node)
        self.reporter = NodeReporter(self.node, facts, self._recorder)
        self.server = KubeletServer(self.node, self.agent)
        self._health: HealthServer | None = None

    def _tell(self, pod: Pod, container: Container | None, level: str, reason: str, message: str) -> None:
        about = reference(PODS, pod, field_path(pod, container) if container else "")
        self._recorder.event(about, "Warning" if level == "Warning" else "Normal", reason, message)

    def _placement(self, pod: Pod) -> Placement:
        config = self.node.config
        addresses = config.node_addresses if pod.spec.host_network else pod.addresses()
        return Placement(config.node_name, config.node_addresses, addresses, self.node.allocatable)

    async def run(self) -> None:
        config = self.node.config
        self.node.volumes.prepare()
        self.node.cgroups.ensure(config.kubepods)
        self.node.cgroups.ensure(f"{config.kubepods}/besteffort", {"shares": 2})
        self.node.cgroups.ensure(f"{config.kubepods}/burstable")
        await self.server.start()
        if config.healthz_port:
            checks = {"syncloop": self._check_loop}
            self._health = HealthServer(config.healthz_address, config.healthz_port, checks=checks, metrics=None)
            await self._health.start()
        _log.info("node agent begins node=%s runtime=%s", config.node_name, config.runtime_endpoint)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.node.statuses.run(), name="statuses")
            group.create_task(self.node.services.run(), name="services")
            group.create_task(self.reporter.run(), name="node")
            group.create_task(self._rotate_logs(), name="log rotation")
            await self.reporter.registered.wait()
            group.create_task(self.agent.run(), name="pods")

    async def _rotate_logs(self) -> None:
        config = self.node.config
        workers = self.agent.workers
        await rotate_for_ever(
            self.node.runtime,
            lambda: (record for worker in list(workers.values()) for record in worker.record.running()),
            config.log_max_bytes,
            config.log_max_files,
        )

    def _check_loop(self) -> str | None:
        seen = self.agent.relisted_at
        if seen is not None and asyncio.get_running_loop().time() - seen > 60:
            return "the runtime has not answered for a minute"
        return None

    async def close(self) -> None:
        if self._health:
            await self._health.close()
        await self.server.close()
        await self._recorder.close()
        await self.node.runtime.close()
