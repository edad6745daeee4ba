"""Writes podCIDR and podCIDRs of every node that has none."""

import logging

from weft.cluster.errors import NotFound
from weft.cluster.events import reference
from weft.cluster.objects.resource import NODES
from weft.cluster.port import Object
from weft.controllers.context import Context
from weft.controllers.nodeipam.plan import Ranges
from weft.reconcile.queue import WorkQueue

_log = logging.getLogger(__name__)


class NodeIpamController:
    def __init__(self, context: Context) -> None:
        self._context = context
        options = context.options
        self._ranges = Ranges(
            options.cluster_cidrs, options.node_mask_ipv4, options.node_mask_ipv6, options.service_cidrs
        )
        self._nodes = context.cache(NODES)
        self._events = context.recorder("cidrAllocator")
        # One worker: two must not give out the same subnet.
        self._queue = WorkQueue(self._sync, name="nodeipam", workers=1)

    async def run(self) -> None:
        if not self._context.options.cluster_cidrs:
            return
        await self._context.synced(self._nodes)
        # All that is taken must be known before the first is given.
        for name, node in self._nodes.objects.items():
            self._note(name, node)
        self._nodes.subscribe(self._changed)
        await self._queue.run()

    def _changed(self, name: str, _old: Object | None, new: Object | None) -> None:
        if new is None:
            self._ranges.forget(name)
            for other, node in self._nodes.objects.items():
                if not _given(node):
                    self._queue.add(other)
        elif _given(new):
            self._note(name, new)
        else:
            self._queue.add(name)

    def _note(self, name: str, node: Object) -> None:
        try:
            self._ranges.note(name, _given(node))
        except ValueError as error:
            _log.warning("node %s: %s", name, error)

    async def _sync(self, name: str) -> None:
        node = self._nodes.objects.get(name)
        if node is None or _given(node):
            return
        given = self._ranges.give(name)
        if given is None:
            text = f"Node {name} status is now: CIDRNotAvailable"
            self._events.event(reference(NODES, node), "Normal", "CIDRNotAvailable", text)
            _log.error("node %s gets no pod range: all of %s are taken", name, self._ranges.cluster)
            return
        patch = {"metadata": {"uid": node["metadata"]["uid"]}, "spec": {"podCIDR": given[0], "podCIDRs": list(given)}}
        try:
            self._nodes.remember(await self._context.cluster.patch(NODES, name, patch))
            _log.info("node %s has pod ranges %s", name, ", ".join(given))
        except NotFound:
            self._ranges.forget(name)
        except Exception:
            self._ranges.forget(name)
            raise


def _given(node: Object) -> tuple[str, ...]:
    spec = node.get("spec") or {}
    return tuple(spec.get("podCIDRs") or filter(None, [spec.get("podCIDR")]))
