"""Which ServiceAccounts, pods, secrets and nodes exist, by uid: the life of the tokens that are bound to them. Pure."""

import datetime
import math

from weft.apiserver.registry.kind import Object

_BINDABLE = frozenset({"serviceaccounts", "pods", "secrets", "nodes"})


class LiveIndex:
    """Fed with events; serves `tokens.issuer.LiveObjects`."""

    def __init__(self) -> None:
        self._objects: dict[tuple[str, str, str], tuple[str, float]] = {}

    def put(self, plural: str, obj: Object) -> None:
        if plural in _BINDABLE:
            metadata = obj["metadata"]
            key = (plural, metadata.get("namespace") or "", metadata["name"])
            self._objects[key] = (metadata.get("uid", ""), _deletion(metadata))

    def remove(self, plural: str, obj: Object) -> None:
        metadata = obj["metadata"]
        self._objects.pop((plural, metadata.get("namespace") or "", metadata["name"]), None)

    def uid(self, plural: str, namespace: str, name: str) -> tuple[str, float] | None:
        return self._objects.get((plural, namespace, name))


def _deletion(metadata: Object) -> float:
    """deletionTimestamp as Unix seconds: when the object's grace ends, infinite while nobody deletes it."""
    if not (text := metadata.get("deletionTimestamp")):
        return math.inf
    return datetime.datetime.fromisoformat(text).timestamp()
