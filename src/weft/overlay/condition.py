"""Tells the cluster that this node's network works (Node condition NetworkUnavailable=False)."""

from collections.abc import Callable

from weft.cluster.objects.node import Node
from weft.cluster.objects.resource import NODES
from weft.cluster.port import Cluster


class Reporter:
    """`now` gives the time as the API spells it. Called after each good step; writes only where the Node differs."""

    def __init__(self, cluster: Cluster, now: Callable[[], str]) -> None:
        self._cluster = cluster
        self._now = now

    async def __call__(self, node: Node) -> None:
        conditions = {condition.type: condition.status for condition in node.status.conditions or ()}
        if conditions.get("NetworkUnavailable") != "False":
            await self._cluster.patch(NODES, node.metadata.name, self._patch(), type="strategic", subresource="status")

    def _patch(self) -> dict[str, object]:
        now = self._now()
        condition = {
            "type": "NetworkUnavailable",
            "status": "False",
            "reason": "WeftIsUp",
            "message": "Weft's pod network is ready on this node",
            "lastHeartbeatTime": now,
            "lastTransitionTime": now,
        }
        return {"status": {"conditions": [condition]}}
