"""What is left in a namespace that goes away, and how its status tells it ("Namespaces: finalizers"). Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from weft.cluster.errors import ApiError
from weft.cluster.objects.resource import Resource
from weft.cluster.objects.timestamps import format_time
from weft.cluster.port import Object

FINALIZER = "kubernetes"
_UNLISTED = frozenset({"events"})
"""Events of a namespace go with it, but none waits for them."""


def is_active(namespace: Object | None) -> bool:
    """Whether new objects can be made in it."""
    if namespace is None or namespace["metadata"].get("deletionTimestamp"):
        return False
    return (namespace.get("status") or {}).get("phase") != "Terminating"


def is_terminating_error(error: ApiError) -> bool:
    """Whether a create failed because the namespace is going away, or is gone: then there is nothing left to do."""
    causes = error.details.get("causes")
    if error.code == 404:
        return True
    return isinstance(causes, list) and any(cause.get("reason") == "NamespaceTerminating" for cause in causes)


@dataclass(slots=True)
class Remains:
    """What one pass over the contents found."""

    objects: Counter[str] = field(default_factory=Counter)
    finalizers: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def count(self, resource: Resource, metas: Sequence[Mapping[str, Any]]) -> None:
        if resource.plural in _UNLISTED or not metas:
            return
        self.objects[f"{resource.plural}.{resource.group}"] += len(metas)
        for meta in metas:
            self.finalizers.update(meta.get("finalizers") or ())

    def is_empty(self) -> bool:
        return not self.objects and not self.failures


def conditions(old: Sequence[Mapping[str, Any]], remains: Remains, now: float) -> list[dict[str, Any]]:
    """The five conditions of a namespace that is terminating, each with upstream's reasons and words."""
    listed = ", ".join(sorted(f"{name} has {count} resource instances" for name, count in remains.objects.items()))
    held = ", ".join(sorted(f"{name} in {count} resource instances" for name, count in remains.finalizers.items()))
    failed = ", ".join(remains.failures)
    told = [
        ("NamespaceDeletionDiscoveryFailure", False, "ResourcesDiscovered", "All resources successfully discovered"),
        ("NamespaceDeletionGroupVersionParsingFailure", False, "ParsedGroupVersions",
         "All legacy kube types successfully parsed"),
        ("NamespaceDeletionContentFailure", bool(failed), "ContentDeletionFailed" if failed else "ContentDeleted",
         f"Failed to delete all resource types, {len(remains.failures)} remaining: {failed}" if failed
         else "All content successfully deleted, may be waiting on finalization"),
        ("NamespaceContentRemaining", bool(listed), "SomeResourcesRemain" if listed else "ContentRemoved",
         f"Some resources are remaining: {listed}" if listed else "All content successfully removed"),
        ("NamespaceFinalizersRemaining", bool(held), "SomeFinalizersRemain" if held else "ContentHasNoFinalizers",
         f"Some content in the namespace has finalizers remaining: {held}" if held
         else "All content-preserving finalizers finished"),
    ]  # fmt: skip
    known = {entry["type"]: entry for entry in old}
    return [_condition(known.get(name), name, bad, reason, text, now) for name, bad, reason, text in told]


def _condition(
    known: Mapping[str, Any] | None, type: str, bad: bool, reason: str, message: str, now: float
) -> dict[str, Any]:
    status = "True" if bad else "False"
    since = known["lastTransitionTime"] if known and known["status"] == status else format_time(now)
    return {"type": type, "status": status, "lastTransitionTime": since, "reason": reason, "message": message}
