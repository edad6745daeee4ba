"""Which endpoints a node may use: ready ones, near ones where hints say so, draining ones as the last resort."""

from collections.abc import Sequence
from typing import NamedTuple

from weft.proxy.endpoints import Endpoint


class Usable(NamedTuple):
    cluster: tuple[Endpoint, ...]
    """For traffic under the Cluster policy; empty where nothing is."""
    local: tuple[Endpoint, ...]
    """For traffic under the Local policy; empty where nothing is."""
    anywhere: bool
    """Whether any node has a usable endpoint."""


def usable(found: Sequence[Endpoint], *, cluster: bool, local: bool, node: str, zone: str) -> Usable:
    """Splits by traffic policy. The fallback to draining endpoints is decided for each apart (KEP-1669)."""
    for_cluster: tuple[Endpoint, ...] = ()
    for_local: tuple[Endpoint, ...] = ()
    ready = [end for end in found if end.ready]
    if cluster:
        for_cluster = tuple(_near(ready, node, zone)) or tuple(end for end in found if end.draining)
    if local:
        for_local = tuple(end for end in ready if end.local) or tuple(
            end for end in found if end.draining and end.local
        )
    anywhere = bool(for_cluster) or (local and any(end.ready or end.draining for end in found))
    return Usable(for_cluster, for_local, anywhere)


def _near(ready: list[Endpoint], node: str, zone: str) -> list[Endpoint]:
    """Hints count only if every ready endpoint carries one and one is for us: node first, then zone (KEP-3015)."""
    if all(end.nodes for end in ready):
        ours = [end for end in ready if node in end.nodes]
        if ours:
            return ours
    if all(end.zones for end in ready):
        ours = [end for end in ready if zone in end.zones]
        if ours:
            return ours
    return ready
