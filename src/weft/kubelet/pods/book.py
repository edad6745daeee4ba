"""One pod as it was asked for, as it was found, and as it was told."""

import dataclasses
import time
from pathlib import Path

import msgspec

from weft.cluster.objects.pod import Pod, PodStatus
from weft.kubelet.cri import model
from weft.kubelet.cri.model import ContainerRecord, PodRecord
from weft.kubelet.logs.last_words import last_words
from weft.kubelet.pods.decide import Waiting
from weft.kubelet.pods.identity import containers_of
from weft.kubelet.pods.services import NodeServices
from weft.kubelet.status.compose import compose
from weft.kubelet.status.conditions import OWNED
from weft.kubelet.status.containers import View, rfc3339


class PodBook:
    def __init__(self, node: NodeServices, pod: Pod) -> None:
        self.pod = pod
        """As the API server has it."""
        self.record = PodRecord()
        """What the runtime held at the last look."""
        self.told: PodStatus = pod.status
        """The status that was told last."""
        self.waiting: dict[str, Waiting] = {}
        """By container: why it waits to be started."""
        self.failed: tuple[str, str] | None = None
        """Reason and message, where the agent itself ended the pod."""
        self._node = node

    @property
    def uid(self) -> str:
        return self.pod.metadata.uid

    async def look(self) -> None:
        """Asks the runtime, and has the containers probed that run now."""
        record = await self._node.runtime.pod(self.uid)
        containers = tuple(self._with_last_words(item) for item in record.containers)
        self.record = dataclasses.replace(record, containers=containers)
        known = {container.name: container for container in containers_of(self.pod)}
        running = {
            item.id: (known[item.name], item) for item in containers if item.name in known and item.phase == "running"
        }
        addresses = self._addresses()
        if addresses or not running:
            self._node.prober.watch(self.with_status(), running, addresses[0] if addresses else "")

    def _addresses(self) -> tuple[str, ...]:
        if self.pod.spec.host_network:
            return self._node.config.node_addresses
        return self.record.sandbox.addresses if self.record.sandbox else ()

    def _with_last_words(self, record: ContainerRecord) -> ContainerRecord:
        if record.phase != "exited" or record.message:
            return record
        path = self._node.own_directory(self.uid) / "containers" / record.name / str(record.attempt)
        fall_back = record.annotations.get(model.TERMINATION_POLICY) == "FallbackToLogsOnError"
        words = last_words(path, Path(record.log_path) if fall_back and record.exit_code else None)
        return dataclasses.replace(record, message=words) if words else record

    def with_status(self) -> Pod:
        """The pod with the status that was told last, and with the conditions that others have set since."""
        foreign = tuple(c for c in self.pod.status.conditions or () if c.type not in OWNED)
        own = tuple(c for c in self.told.conditions or () if c.type in OWNED)
        status = msgspec.structs.replace(self.told, conditions=own + foreign)
        return msgspec.structs.replace(self.pod, status=status)

    def tell(self, *, over: bool) -> None:
        """Composes the status from what was found, and hands it to the writer. `over`: nothing starts any more."""
        view = View(self.with_status(), self.record, self.waiting, self._node.prober.health(self.uid))
        status = compose(view, self._node.config.node_addresses, rfc3339(time.time()) or "", over=over)
        if self.failed is not None:
            reason, message = self.failed
            status = msgspec.structs.replace(status, phase="Failed", reason=reason, message=message)
        self.told = status
        self._node.statuses.publish(self.pod, status)
