"""From what a client sent to the next version: what of it counts, what stays as it was, what is wrong with it. Pure."""

from weft.apiserver.registry import failures, metadata
from weft.apiserver.registry.kind import FieldError, Kind, Object

_WITH_STATUS = ("labels", "annotations", "finalizers")
"""What of metadata a write to status may change …"""
_STATUS_KEEPS_LABELS = frozenset({"deployments"})
"""… with upstream's exception."""


def check(kind: Kind, name: str, new: Object, old: Object) -> None:
    """Raises ApiError 409 where the client means another version, or another object of the same name."""
    meta = new.setdefault("metadata", {})
    asked = meta.get("resourceVersion")
    if asked and asked != old["metadata"]["resourceVersion"]:
        raise failures.modified(kind.resource, name)
    uid = meta.get("uid")
    if uid and uid != old["metadata"]["uid"]:
        raise failures.other_uid(kind.resource, old["metadata"], uid)


def merge(kind: Kind, new: Object, old: Object, subresource: str) -> None:
    """Makes of `new`, in place, what would be stored: a write to status keeps the rest, all others keep the status."""
    metadata.carry_over(new, old)
    metadata.prune_empty(new["metadata"])
    if subresource == "status":
        _merge_status(kind, new, old)
    else:
        if kind.status and not subresource:
            _take(new, old, "status")
        kind.prepare_update(new, old)
    kind.default(new)


def _merge_status(kind: Kind, new: Object, old: Object) -> None:
    meta = {**old["metadata"]}
    for name in _WITH_STATUS:
        if name != "labels" or kind.resource.plural not in _STATUS_KEEPS_LABELS:
            _take(meta, new["metadata"], name)
    kept = {**old, "metadata": meta}
    _take(kept, new, "status")
    new.clear()
    new.update(kept)


def _take(target: Object, source: Object, name: str) -> None:
    """The field as `source` has it, or not at all."""
    if name in source:
        target[name] = source[name]
    else:
        target.pop(name, None)


def errors(kind: Kind, new: Object, old: Object, subresource: str) -> list[FieldError]:
    found = [*metadata.validate(kind, new), *metadata.validate_update(new, old)]
    if subresource == "status":
        return [*found, *kind.validate_status(new, old)]
    return [*found, *kind.validate_update(new, old)]


def finish(kind: Kind, new: Object, old: Object, subresource: str) -> None:
    """Counts the generation; a pod that is bound is wanted no differently than before."""
    if kind.generation and subresource != "binding" and new.get("spec") != old.get("spec"):
        new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
    new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
