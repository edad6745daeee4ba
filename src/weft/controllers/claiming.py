"""Carries out what `owners.claim` decides: adopts and releases, with a second look at the owner first."""

from weft.cluster.errors import Conflict, Invalid, NotFound
from weft.cluster.objects.resource import Resource
from weft.cluster.port import Object
from weft.controllers.context import Context
from weft.controllers.owners import adoption, claim, release


async def claimed(
    context: Context, owner_resource: Resource, owner: Object, resource: Resource, objects: list[Object]
) -> list[Object]:
    """Those of `objects` that the owner manages, after adoption and release. Raises ApiError where that fails."""
    sorted_ = claim(owner, objects)
    mine, cache = list(sorted_.mine), context.cache(resource)
    for obj in sorted_.release:
        await _patch(context, resource, obj, release(owner, obj))
    if sorted_.adopt:
        await _check_alive(context, owner_resource, owner)
    for obj in sorted_.adopt:
        if cache.is_doomed(obj):
            continue
        adopted = await _patch(context, resource, obj, adoption(owner_resource, owner, obj))
        if adopted is not None:
            mine.append(adopted)
    return mine


async def _check_alive(context: Context, resource: Resource, owner: Object) -> None:
    """The copy may be behind: an owner that is being deleted must not gather children."""
    meta = owner["metadata"]
    fresh: Object = await context.cluster.get(resource, meta["name"], meta.get("namespace", ""), as_=dict)
    if fresh["metadata"]["uid"] != meta["uid"] or fresh["metadata"].get("deletionTimestamp"):
        raise Conflict(409, "Conflict", f"{resource.kind} {meta['name']} is being deleted: it adopts nothing")


async def _patch(context: Context, resource: Resource, obj: Object, patch: Object) -> Object | None:
    """The object after the patch; None where it is gone, or where another one has its name by now."""
    meta = obj["metadata"]
    try:
        made = await context.cluster.patch(resource, meta["name"], patch, meta.get("namespace", ""))
    except (NotFound, Invalid):
        return None
    context.cache(resource).remember(made)
    return made
