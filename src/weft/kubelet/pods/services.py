"""What every pod worker of this node shares."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from weft.cluster.objects.container import Container
from weft.cluster.objects.pod import Pod
from weft.cluster.objects.service import Service
from weft.cluster.port import Cluster
from weft.cluster.reflector import Reflector
from weft.kubelet.cgroups.tree import CgroupTree
from weft.kubelet.config import Config
from weft.kubelet.cri.client import Runtime
from weft.kubelet.cri.model import RuntimeCondition
from weft.kubelet.pods.backoff import Backoff
from weft.kubelet.pods.images import ImagePuller
from weft.kubelet.pods.slots import Slots
from weft.kubelet.probes.prober import Prober
from weft.kubelet.status.writer import StatusWriter
from weft.kubelet.volumes.manager import VolumeManager
from weft.kubelet.volumes.objects import ObjectReader


@dataclass(slots=True)
class NodeServices:
    config: Config
    cluster: Cluster
    runtime: Runtime
    volumes: VolumeManager
    reader: ObjectReader
    images: ImagePuller
    prober: Prober
    statuses: StatusWriter
    services: Reflector[Service]
    cgroups: CgroupTree
    tell: Callable[[Pod, Container | None, str, str, str], None]
    """Records an event: pod, container, type, reason, message."""
    backoff: Backoff = field(default_factory=Backoff)
    slots: Slots = field(default_factory=lambda: Slots(max(8, 4 * (os.cpu_count() or 1))))
    network: RuntimeCondition = field(default_factory=lambda: RuntimeCondition(True))
    """Whether pods can get a network now."""
    memory_capacity: int = 0
    """Bytes of memory that the node has."""
    allocatable: dict[str, str] = field(default_factory=dict)

    def log_root(self) -> str:
        return str(self.config.pod_log_dir)

    def own_directory(self, uid: str) -> Path:
        return self.volumes.pod_directory(uid)
