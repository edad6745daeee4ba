"""Removes pods that nobody else will: on nodes that are gone, deleted before they had a node, finished in masses."""

import asyncio
import logging
from collections.abc import Iterable, Mapping

from weft.cluster.errors import ApiError, NotFound
from weft.cluster.objects.resource import NODES, PODS
from weft.cluster.objects.timestamps import format_time, parse_time
from weft.cluster.port import Object
from weft.controllers.context import Context
from weft.controllers.pods import is_finished

_LOOK_EVERY = 20.0
_QUARANTINE = 40.0
"""Seconds for which a node must be gone before its pods go: it may only be registering again."""

_log = logging.getLogger(__name__)


def surplus(pods: Iterable[Object], threshold: int) -> list[Object]:
    """The oldest finished pods beyond `threshold`; 0 keeps them all."""
    finished = [pod for pod in pods if is_finished(pod)]
    if threshold <= 0 or len(finished) <= threshold:
        return []
    finished.sort(key=lambda pod: (parse_time(pod["metadata"].get("creationTimestamp")), pod["metadata"]["name"]))
    return finished[: len(finished) - threshold]


def never_placed(pods: Iterable[Object]) -> list[Object]:
    return [pod for pod in pods if pod["metadata"].get("deletionTimestamp") and not pod["spec"].get("nodeName")]


def missing_nodes(pods: Iterable[Object], nodes: Mapping[str, Object]) -> set[str]:
    named = {pod["spec"]["nodeName"] for pod in pods if pod["spec"].get("nodeName")}
    return {name for name in named if name not in nodes}


class PodGarbageCollector:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._pods = context.cache(PODS)
        self._nodes = context.cache(NODES)
        self._missing: dict[str, float] = {}

    async def run(self) -> None:
        await self._context.synced(self._pods, self._nodes)
        while True:
            try:
                await self._collect(self._context.clock())
            except ApiError as error:
                _log.warning("pods could not be collected: %s", error)
            await asyncio.sleep(_LOOK_EVERY)

    async def _collect(self, now: float) -> None:
        pods = list(self._pods.objects.values())
        for pod in [*surplus(pods, self._context.options.terminated_pod_threshold), *never_placed(pods)]:
            await self._delete(pod)
        missing = missing_nodes(pods, self._nodes.objects)
        self._missing = {name: self._missing.get(name, now) for name in missing}
        for name, since in list(self._missing.items()):
            if now - since >= _QUARANTINE and await self._is_gone(name):
                orphans = [pod for pod in pods if pod["spec"].get("nodeName") == name]
                _log.info("node %s is gone: deleting its %d pods", name, len(orphans))
                for pod in orphans:
                    await self._fail(pod, now)
                    await self._delete(pod)

    async def _is_gone(self, name: str) -> bool:
        try:
            await self._context.cluster.get(NODES, name, as_=dict)
        except NotFound:
            return True
        return False

    async def _fail(self, pod: Object, now: float) -> None:
        if is_finished(pod):
            return
        condition = {
            "type": "DisruptionTarget", "status": "True", "reason": "DeletionByPodGC",
            "message": "PodGC: node no longer exists", "lastTransitionTime": format_time(now),
        }  # fmt: skip
        meta = pod["metadata"]
        patch = {"metadata": {"uid": meta["uid"]}, "status": {"phase": "Failed", "conditions": [condition]}}
        try:
            await self._context.cluster.patch(
                PODS, meta["name"], patch, meta["namespace"], type="strategic", subresource="status"
            )
        except NotFound:
            pass

    async def _delete(self, pod: Object) -> None:
        meta = pod["metadata"]
        try:
            await self._context.cluster.delete(PODS, meta["name"], meta["namespace"], uid=meta["uid"], grace_period=0)
        except NotFound:
            pass
