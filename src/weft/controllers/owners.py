"""Who manages what: controller references, adoption and release ("Owners and Dependents"). Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from weft.cluster.objects.resource import Resource
from weft.cluster.objects.selector import label_selector_matches
from weft.cluster.port import Object


def controller_of(obj: Object) -> dict[str, Any] | None:
    for owner in obj["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return dict(owner)
    return None


def controller_uid(obj: Object) -> str:
    owner = controller_of(obj)
    return owner["uid"] if owner else ""


def controller_reference(resource: Resource, owner: Object) -> dict[str, Any]:
    """The reference that says: `owner` manages this, and goes only after it in a foreground deletion."""
    meta = owner["metadata"]
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


@dataclass(frozen=True, slots=True)
class Claim:
    mine: list[Object]
    adopt: list[Object]
    """Match, but have no manager yet."""
    release: list[Object]
    """Are ours, but do not match any more."""


def claim(owner: Object, objects: Iterable[Object]) -> Claim:
    """Sorts `objects` of the owner's namespace by its selector and by who manages them now."""
    meta, selector = owner["metadata"], owner["spec"].get("selector")
    leaving = bool(meta.get("deletionTimestamp"))
    made = Claim([], [], [])
    for obj in objects:
        manager = controller_uid(obj)
        matches = label_selector_matches(selector, obj["metadata"].get("labels"))
        if manager == meta["uid"]:
            if matches:
                made.mine.append(obj)
            elif not leaving:
                made.release.append(obj)
        elif not manager and matches and not leaving and not obj["metadata"].get("deletionTimestamp"):
            made.adopt.append(obj)
    return made


def adoption(resource: Resource, owner: Object, obj: Object) -> Object:
    """Merge patch by which `owner` becomes the manager of `obj`; fails if `obj` has changed meanwhile."""
    owners = list(obj["metadata"].get("ownerReferences") or ())
    return _owners_patch(obj, [*owners, controller_reference(resource, owner)])


def release(owner: Object, obj: Object) -> Object:
    """Merge patch by which `owner` lets go of `obj`."""
    owners = obj["metadata"].get("ownerReferences") or ()
    return _owners_patch(obj, [o for o in owners if o["uid"] != owner["metadata"]["uid"]])


def _owners_patch(obj: Object, owners: list[Any]) -> Object:
    meta = obj["metadata"]
    return {"metadata": {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"], "ownerReferences": owners}}
