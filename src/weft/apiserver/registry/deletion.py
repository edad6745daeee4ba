"""What a DELETE does to an object: at once, after a grace period, or when its finalizers are gone.

The decisions of apiserver's `rest.BeforeDelete` and `registry.Store.Delete`, as one function of values. Pure.
"""

from dataclasses import dataclass
from typing import Any, Literal

from weft.apiserver.registry.kind import FieldError, Object
from weft.apiserver.registry.metadata import seconds, stamp

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"
_POLICIES = ("Background", "Foreground", "Orphan")


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    grace: int | None = None
    """Seconds."""
    uid: str = ""
    resource_version: str = ""
    policy: str = ""
    """Background, Foreground, Orphan, or "" for the kind's default (Background)."""
    orphan_dependents: bool | None = None
    """The deprecated form of policy."""
    dry_run: bool = False

    @property
    def cascades_explicitly(self) -> bool:
        return self.orphan_dependents is False


def options_errors(body: Object) -> list[FieldError]:
    """As `ValidateDeleteOptions`."""
    policy = body.get("propagationPolicy")
    errors: list[FieldError] = []
    if policy is not None and body.get("orphanDependents") is not None:
        detail = "orphanDependents and deletionPropagation cannot be both set"
        errors.append(FieldError("FieldValueInvalid", "propagationPolicy", detail, policy))
    if policy is not None and policy not in _POLICIES:
        detail = 'supported values: "Foreground", "Background", "Orphan", "nil"'
        errors.append(FieldError("FieldValueNotSupported", "propagationPolicy", detail, policy))
    if any(each != "All" for each in body.get("dryRun") or []):
        errors.append(FieldError("FieldValueNotSupported", "dryRun", 'supported values: "All"', body["dryRun"]))
    return errors


def parse_options(body: Object) -> DeleteOptions:
    """From a DeleteOptions object without errors."""
    preconditions: dict[str, Any] = body.get("preconditions") or {}
    return DeleteOptions(
        grace=body.get("gracePeriodSeconds"),
        uid=preconditions.get("uid") or "",
        resource_version=preconditions.get("resourceVersion") or "",
        policy=body.get("propagationPolicy") or "",
        orphan_dependents=body.get("orphanDependents"),
        dry_run=bool(body.get("dryRun")),
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    action: Literal["remove", "mark", "nothing"]
    """remove the object · write `obj`, which is being deleted · it is being deleted already"""
    obj: Object


def decide(old: Object, options: DeleteOptions, graceful: bool, now: float) -> Outcome:
    """`old` is changed into the version to be written. `graceful`: the kind's deletion waits for a kubelet (pods)."""
    before = dict(old["metadata"])
    waits = False
    if graceful:
        state = _begin_grace(old, options, now)
        if state == "pending":
            return Outcome("nothing", old)
        waits = state == "waits"
    finalizers = _finalizers(before.get("finalizers") or [], options)
    if not finalizers:
        old["metadata"].pop("finalizers", None)
        return Outcome("mark" if waits else "remove", old)
    old["metadata"]["finalizers"] = finalizers
    _mark(old, now)
    return Outcome("nothing" if old["metadata"] == before else "mark", old)


def _begin_grace(pod: Object, options: DeleteOptions, now: float) -> Literal["pending", "waits", "now"]:
    """Sets deletionTimestamp (now + grace) and deletionGracePeriodSeconds."""
    meta = pod["metadata"]
    if "deletionTimestamp" in meta:
        left = meta.get("deletionGracePeriodSeconds") or 0
        if left == 0:
            return "now"
        if options.grace is None or options.grace >= left:
            return "pending"
        # Only a shorter period may be asked for; it counts from when deletion began.
        period = max(options.grace, 0) if options.grace >= 0 else 1
        meta["deletionTimestamp"] = stamp(seconds(meta["deletionTimestamp"]) - left + period)
        meta["deletionGracePeriodSeconds"] = period
        return "waits" if period else "now"
    period = _grace_period(pod, options)
    meta["deletionTimestamp"] = stamp(now + period)
    meta["deletionGracePeriodSeconds"] = period
    if meta.get("generation"):
        meta["generation"] += 1
    return "waits" if period else "now"


def _grace_period(pod: Object, options: DeleteOptions) -> int:
    """As `podStrategy.CheckGracefulDelete`: nobody has to stop what was never started or has ended."""
    spec = pod.get("spec") or {}
    if not spec.get("nodeName") or (pod.get("status") or {}).get("phase") in ("Failed", "Succeeded"):
        return 0
    period: int = options.grace if options.grace is not None else spec.get("terminationGracePeriodSeconds", 0)
    return 1 if period < 0 else period


def _finalizers(present: list[str], options: DeleteOptions) -> list[str]:
    """With `orphan` or `foregroundDeletion` as the options say (the garbage collector acts on them)."""
    orphan, foreground = ORPHAN in present, FOREGROUND in present
    if options.orphan_dependents is not None:
        orphan = options.orphan_dependents
    if options.policy:
        orphan, foreground = options.policy == "Orphan", options.policy == "Foreground"
    kept = [each for each in present if each not in (ORPHAN, FOREGROUND)]
    wanted = kept + [name for name, on in ((ORPHAN, orphan), (FOREGROUND, foreground and not orphan)) if on]
    return present if sorted(wanted) == sorted(present) else wanted


def _mark(obj: Object, now: float) -> None:
    meta = obj["metadata"]
    if "deletionTimestamp" in meta:
        return
    meta["deletionTimestamp"] = stamp(now)
    meta["deletionGracePeriodSeconds"] = 0
    if meta.get("generation"):
        meta["generation"] += 1


def ends_with_update(new: Object, old: Object) -> bool:
    """Whether an update that took the last finalizer away completes the deletion."""
    before, after = old["metadata"], new["metadata"]
    if not before.get("finalizers") or after.get("finalizers") or "deletionTimestamp" not in before:
        return False
    return not before.get("deletionGracePeriodSeconds")
