"""Registers the Node, keeps its status and its Lease fresh ("Nodes", "Heartbeats")."""

import asyncio
import logging
import time
from datetime import UTC, datetime
from typing import Any

from weft.cluster.errors import AlreadyExists, ApiError, NotFound
from weft.cluster.events import EventRecorder
from weft.cluster.objects.resource import LEASES, NODES
from weft.cluster.port import Object
from weft.kubelet.cri.model import RuntimeFault, RuntimeStatus
from weft.kubelet.node import status as plan
from weft.kubelet.node.facts import MachineFacts
from weft.kubelet.pods.services import NodeServices
from weft.kubelet.status.containers import rfc3339

_LEASE_NAMESPACE = "kube-node-lease"
_LEASE_SECONDS = 40
_RENEW = 10.0
_log = logging.getLogger(__name__)


class NodeReporter:
    def __init__(self, node: NodeServices, facts: MachineFacts, recorder: EventRecorder) -> None:
        self._node = node
        self._facts = facts
        self._recorder = recorder
        self._resources = plan.resources(node.config, facts)
        self._told: dict[str, Any] = {}
        self._told_at = 0.0
        self._ready: str | None = None
        self._wake = asyncio.Event()
        self.registered = asyncio.Event()
        self.lease_renewed_at: float | None = None
        """Loop time of the last renewal."""

    async def run(self) -> None:
        current = await self._register()
        self.registered.set()
        self._tell("Normal", "Starting", "Starting kubelet.")
        async with asyncio.TaskGroup() as group:
            group.create_task(self._renew_for_ever(current["metadata"]["uid"]), name="lease")
            group.create_task(self._report_for_ever(), name="node status")

    def _tell(self, level: Any, reason: str, message: str) -> None:
        name = self._node.config.node_name
        about = {"kind": "Node", "apiVersion": "v1", "name": name, "uid": name}
        self._recorder.event(about, level, reason, message)

    async def _register(self) -> Object:
        """The Node as the API server has it, made if need be, with this node's labels. Tries until it succeeds."""
        config, delay = self._node.config, 0.05
        wanted = plan.node_object(config, self._facts)
        while True:
            try:
                try:
                    return await self._node.cluster.create(NODES, wanted)
                except AlreadyExists:
                    patch = {"metadata": {"labels": wanted["metadata"]["labels"]}}
                    return await self._node.cluster.patch(NODES, config.node_name, patch)
            except ApiError as error:
                _log.warning("cannot register node %s, again in %.1f s: %s", config.node_name, delay, error)
            await asyncio.sleep(delay)
            delay = min(delay * 2, 7.0)

    async def _report_for_ever(self) -> None:
        """Fast while the node is not ready, so that it becomes ready at once."""
        while True:
            try:
                await self._report()
            except NotFound:
                await self._register()
                self._told = {}
                continue
            except ApiError as error:
                _log.log(
                    logging.DEBUG if error.code == 409 else logging.WARNING, "node status was not stored: %s", error
                )
            await asyncio.sleep(self._node.config.status_update_seconds if self._ready == "True" else 0.2)

    async def _report(self) -> None:
        """Stores the status where it changed, or where the API server has not heard of it for long."""
        runtime, problem = await self._ask_runtime()
        fresh = plan.conditions(runtime, problem)
        body = await self._body(runtime)
        now = time.time()
        changed = {"conditions": fresh, **body} != self._told
        if not changed and now - self._told_at < self._node.config.status_report_seconds:
            return
        name = self._node.config.node_name
        current = await self._node.cluster.get(NODES, name, as_=dict)
        old = (current.get("status") or {}).get("conditions") or []
        mine = {condition["type"] for condition in fresh}
        others = [condition for condition in old if condition["type"] not in mine]
        # A merge patch replaces lists, so the whole list goes, guarded by the version that it was made from.
        status = {**body, "conditions": [*others, *plan.dated(fresh, old, rfc3339(now) or "")]}
        guard = {"resourceVersion": current["metadata"]["resourceVersion"]}
        await self._node.cluster.patch(NODES, name, {"metadata": guard, "status": status}, subresource="status")
        self._told, self._told_at = {"conditions": fresh, **body}, now
        self._note_readiness(fresh[-1]["status"])

    def _note_readiness(self, ready: str) -> None:
        if ready != self._ready:
            name = self._node.config.node_name
            reason = "NodeReady" if ready == "True" else "NodeNotReady"
            self._tell("Normal", reason, f"Node {name} status is now: {reason}")
        self._ready = ready

    async def _ask_runtime(self) -> tuple[RuntimeStatus | None, str]:
        try:
            return await self._node.runtime.status(), ""
        except RuntimeFault as fault:
            return None, fault.message

    async def _body(self, runtime: RuntimeStatus | None) -> dict[str, Any]:
        config = self._node.config
        body: dict[str, Any] = {
            "addresses": plan.addresses(config),
            "capacity": self._resources.capacity,
            "allocatable": self._resources.allocatable,
            "daemonEndpoints": {"kubeletEndpoint": {"Port": config.port}},
        }
        if runtime is not None:
            try:
                body["nodeInfo"] = plan.node_info(self._facts, await self._node.runtime.version())
                body["images"] = plan.image_list(await self._node.runtime.images())
            except RuntimeFault as fault:
                _log.debug("runtime does not tell its images: %s", fault)
        return body

    async def _renew_for_ever(self, node_uid: str) -> None:
        lease: Object | None = None
        while True:
            try:
                lease = await self._renew(lease, node_uid)
                self.lease_renewed_at = asyncio.get_running_loop().time()
                pause = _RENEW
            except ApiError as error:
                _log.warning("lease was not renewed: %s", error)
                lease, pause = None, 1.0
            await asyncio.sleep(pause)

    async def _renew(self, lease: Object | None, node_uid: str) -> Object:
        cluster, name = self._node.cluster, self._node.config.node_name
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        if lease is None:
            try:
                lease = dict(await cluster.get(LEASES, name, _LEASE_NAMESPACE, as_=dict))
            except NotFound:
                owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": node_uid}
                meta = {"name": name, "namespace": _LEASE_NAMESPACE, "ownerReferences": [owner]}
                spec = {"holderIdentity": name, "leaseDurationSeconds": _LEASE_SECONDS, "renewTime": now}
                made = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": spec}
                return await cluster.create(LEASES, made, _LEASE_NAMESPACE)
        spec = {**lease.get("spec", {}), "holderIdentity": name, "leaseDurationSeconds": _LEASE_SECONDS}
        return await cluster.update(LEASES, {**lease, "spec": {**spec, "renewTime": now}})
