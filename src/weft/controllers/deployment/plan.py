"""One step of a Deployment: which ReplicaSets to make, resize and delete now. Pure.

A step is small on purpose: every write comes back as an event, and the next step sees what it did. Growing and
shrinking never happen in the same step, so the bounds hold at any instant.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from weft.cluster.port import Object
from weft.controllers.deployment.revision import new_replica_set, split_new_and_old, with_revision, with_sizes
from weft.controllers.deployment.sizes import (
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    NO_LIMIT,
    age_order,
    annotated_number,
    counted,
    is_complete,
    is_rolling,
    max_total,
    min_available,
    revision,
    total,
    total_counted,
)
from weft.controllers.replicaset.plan import replicas


@dataclass(frozen=True, slots=True)
class Step:
    create: Object | None = None
    replace: tuple[tuple[Object, Object], ...] = ()
    """(before, after)"""
    delete: tuple[Object, ...] = ()
    rolling_out: bool = True
    """False while paused or merely resized: then progress is not judged."""


@dataclass(slots=True)
class _Draft:
    """The ReplicaSets while the step is being thought out; `old` is oldest first."""

    deployment: Object
    new: Object | None
    old: list[Object]
    before: dict[str, Object]
    create: Object | None = None
    delete: list[Object] = field(default_factory=list)

    def all(self) -> list[Object]:
        return [*self.old, *([self.new] if self.new else [])]

    def resize(self, replica_set: Object, count: int, *, always: bool = False) -> Object:
        """Gives it `count` replicas; `always` tells it the Deployment's size even where the count stays."""
        if not always and replicas(replica_set) == count:
            return replica_set
        sized = with_sizes(self.deployment, {**replica_set, "spec": {**replica_set["spec"], "replicas": count}})
        self.put(replica_set, sized)
        return sized

    def put(self, before: Object, after: Object) -> None:
        if before is self.new:
            self.new = after
            if before is self.create:
                self.create = after
        else:
            self.old = [after if each is before else each for each in self.old]

    def finish(self, rolling_out: bool) -> Step:
        changed = [
            (self.before[each["metadata"]["name"]], each)
            for each in self.all()
            if each is not self.create and each != self.before[each["metadata"]["name"]]
        ]
        return Step(self.create, tuple(changed), tuple(self.delete), rolling_out)


def next_step(deployment: Object, replica_sets: Sequence[Object], old_pods_run: Callable[[], bool]) -> Step:
    """`replica_sets` are the Deployment's own; `old_pods_run` tells whether a pod of another template is left."""
    if deployment["metadata"].get("deletionTimestamp"):
        return Step(rolling_out=False)
    new, old = split_new_and_old(deployment, replica_sets)
    draft = _Draft(deployment, new, old, {each["metadata"]["name"]: each for each in replica_sets})
    if deployment["spec"].get("paused"):
        _sync_new(draft, may_create=False)
        _resize_all(draft)
        _clean_up(draft)
        return draft.finish(rolling_out=False)
    if _was_resized(deployment, replica_sets):
        _sync_new(draft, may_create=False)
        _resize_all(draft)
        return draft.finish(rolling_out=False)
    if is_rolling(deployment):
        _roll(draft)
    else:
        _recreate(draft, old_pods_run)
    return draft.finish(rolling_out=True)


def _was_resized(deployment: Object, replica_sets: Sequence[Object]) -> bool:
    wanted = replicas(deployment)
    told = (annotated_number(each, DESIRED_REPLICAS) for each in replica_sets if replicas(each))
    return any(size is not None and size != wanted for size in told)


def _sync_new(draft: _Draft, *, may_create: bool) -> None:
    """Makes sure of the new ReplicaSet, of its revision and annotations."""
    number = max(map(revision, draft.old), default=0) + 1
    if draft.new is None:
        if may_create:
            count = replicas(draft.deployment)
            if is_rolling(draft.deployment):
                count = min(count, max(0, max_total(draft.deployment) - total(draft.old)))
            draft.new = draft.create = new_replica_set(draft.deployment, count, number)
        return
    synced = with_revision(draft.deployment, draft.new, number)
    ready_after = draft.deployment["spec"].get("minReadySeconds") or 0
    if (synced["spec"].get("minReadySeconds") or 0) != ready_after:
        synced = {**synced, "spec": {**synced["spec"], "minReadySeconds": ready_after}}
    if synced != draft.new:
        draft.put(draft.new, synced)


def _roll(draft: _Draft) -> None:
    _sync_new(draft, may_create=True)
    if draft.create is not None or _grow_new(draft) or _shrink_old(draft):
        return
    if is_complete(draft.deployment, draft.deployment.get("status") or {}):
        _clean_up(draft)


def _grow_new(draft: _Draft) -> bool:
    """Brings the new ReplicaSet as near to its size as maxSurge allows; whether that changed anything."""
    assert draft.new is not None
    wanted, have = replicas(draft.deployment), replicas(draft.new)
    room = max_total(draft.deployment) - total(draft.all())
    target = wanted if have > wanted else have + max(0, min(room, wanted - have))
    draft.resize(draft.new, target)
    return target != have


def _shrink_old(draft: _Draft) -> bool:
    """Takes from the old ReplicaSets, sick pods first, what maxUnavailable allows; whether that was anything."""
    assert draft.new is not None
    if total(draft.old) == 0:
        return False
    minimum = min_available(draft.deployment)
    new_missing = replicas(draft.new) - counted(draft.new, "availableReplicas")
    budget = total(draft.all()) - minimum - new_missing
    if budget <= 0:
        return False
    before = total(draft.old)
    for each in list(draft.old):
        sick = replicas(each) - min(replicas(each), counted(each, "availableReplicas"))
        taken = min(sick, budget)
        budget -= taken
        draft.resize(each, replicas(each) - taken)
    spare = total_counted(draft.all(), "availableReplicas") - minimum
    for each in list(draft.old):
        taken = min(replicas(each), max(0, spare))
        spare -= taken
        draft.resize(each, replicas(each) - taken)
    return total(draft.old) != before


def _recreate(draft: _Draft, old_pods_run: Callable[[], bool]) -> None:
    if draft.new is not None:
        _sync_new(draft, may_create=False)
    if total(draft.old) > 0:
        for each in list(draft.old):
            draft.resize(each, 0)
        return
    if total_counted(draft.old, "replicas") > 0 or old_pods_run():
        return
    _sync_new(draft, may_create=True)
    if draft.create is not None:
        return
    assert draft.new is not None
    draft.resize(draft.new, replicas(draft.deployment))
    if is_complete(draft.deployment, draft.deployment.get("status") or {}):
        _clean_up(draft)


def _resize_all(draft: _Draft) -> None:
    """The Deployment's size has changed: one active ReplicaSet takes it all, several share it in proportion."""
    wanted = replicas(draft.deployment)
    active = [each for each in draft.all() if replicas(each) > 0]
    if len(active) <= 1:
        newest = active or ([draft.new] if draft.new else draft.old[-1:])
        for each in newest:
            draft.resize(each, wanted)
    elif _is_saturated(draft):
        for each in list(draft.old):
            draft.resize(each, 0)
    elif is_rolling(draft.deployment):
        _share(draft, active)


def _is_saturated(draft: _Draft) -> bool:
    wanted = replicas(draft.deployment)
    return draft.new is not None and (
        replicas(draft.new) == annotated_number(draft.new, DESIRED_REPLICAS) == wanted
        and counted(draft.new, "availableReplicas") == wanted
    )


def _share(draft: _Draft, active: list[Object]) -> None:
    """Adds or removes in proportion to each one's share; what rounding leaves over goes to the largest."""
    wanted = replicas(draft.deployment)
    to_add = (max_total(draft.deployment) if wanted else 0) - total(active)
    newest_first = to_add > 0
    ordered = sorted(sorted(active, key=age_order, reverse=newest_first), key=replicas, reverse=True)
    sizes, added = [], 0
    for each in ordered:
        share = _share_of(draft.deployment, each, to_add, added)
        sizes.append(replicas(each) + share)
        added += share
    sizes[0] = max(0, sizes[0] + to_add - added)
    for each, size in zip(ordered, sizes, strict=True):
        draft.resize(each, size, always=True)


def _share_of(deployment: Object, replica_set: Object, to_add: int, added: int) -> int:
    if to_add in (0, added):
        return 0
    have = replicas(replica_set)
    if replicas(deployment) == 0:
        fraction = -have
    else:
        before = annotated_number(replica_set, MAX_REPLICAS) or int((deployment.get("status") or {}).get("replicas", 0))
        # Half away from zero, as integer.RoundToInt32; all values are positive here.
        fraction = (2 * have * max_total(deployment) + before) // (2 * before) - have if before else 0
    return min(fraction, to_add - added) if to_add > 0 else max(fraction, to_add - added)


def _clean_up(draft: _Draft) -> None:
    """Old ReplicaSets beyond revisionHistoryLimit go, lowest revision first, once they are empty."""
    limit = draft.deployment["spec"].get("revisionHistoryLimit")
    if limit is None or limit == NO_LIMIT:
        return
    alive = [each for each in draft.old if not each["metadata"].get("deletionTimestamp")]
    surplus = sorted(alive, key=lambda each: (revision(each), age_order(each)))[: max(0, len(alive) - limit)]
    draft.delete = [each for each in surplus if _is_idle(each)]


def _is_idle(replica_set: Object) -> bool:
    return (
        replicas(replica_set) == 0
        and counted(replica_set, "replicas") == 0
        and replica_set["metadata"].get("generation", 0) <= counted(replica_set, "observedGeneration")
    )
