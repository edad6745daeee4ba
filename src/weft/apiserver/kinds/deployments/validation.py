"""Validation of Deployments (pkg/apis/apps/validation)."""

from weft.apiserver.kinds.replicasets.validation import selected_template
from weft.apiserver.kinds.rules.errors import Errors, forbidden, immutable, invalid, not_supported, required
from weft.apiserver.kinds.rules.numbers import (
    at_most_whole,
    counts,
    is_zero,
    not_negative,
    number_or_percent,
)
from weft.apiserver.registry.kind import Object

_STATUS_COUNTS = (
    "observedGeneration",
    "replicas",
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "unavailableReplicas",
    "terminatingReplicas",
    "collisionCount",
)


def validate_deployment(deployment: Object) -> Errors:
    spec = deployment.get("spec") or {}
    errors = not_negative("spec.replicas", spec.get("replicas"))
    errors += selected_template(spec)
    errors += _strategy(spec.get("strategy") or {})
    errors += counts("spec", spec, ("minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"))
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None and deadline <= spec.get("minReadySeconds", 0):
        errors.append(invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"))
    return errors


def validate_update(deployment: Object, old: Object) -> Errors:
    selectors = (each.get("spec", {}).get("selector") for each in (deployment, old))
    return validate_deployment(deployment) + immutable("spec.selector", *selectors)


def validate_status(deployment: Object, old: Object) -> Errors:
    status = deployment.get("status") or {}
    errors = counts("status", status, _STATUS_COUNTS)
    total, ready = status.get("replicas", 0), status.get("readyReplicas", 0)
    for name in ("updatedReplicas", "readyReplicas", "availableReplicas"):
        if status.get(name, 0) > total:
            errors.append(invalid(f"status.{name}", status[name], "cannot be greater than status.replicas"))
    if status.get("availableReplicas", 0) > ready:
        detail = "cannot be greater than readyReplicas"
        errors.append(invalid("status.availableReplicas", status["availableReplicas"], detail))
    return errors + not_decremented(status, old.get("status") or {})


def not_decremented(status: Object, old: Object) -> Errors:
    before, now = old.get("collisionCount"), status.get("collisionCount")
    if before is not None and (now is None or now < before):
        return [invalid("status.collisionCount", now or 0, "cannot be decremented")]
    return []


def _strategy(strategy: Object) -> Errors:
    field, kind, rolling = "spec.strategy", strategy.get("type"), strategy.get("rollingUpdate")
    if kind == "Recreate":
        detail = "may not be specified when strategy `type` is 'Recreate'"
        return [forbidden(f"{field}.rollingUpdate", detail)] if rolling is not None else []
    if kind != "RollingUpdate":
        shown = {"Type": kind, "RollingUpdate": None}
        return [not_supported(field, shown, ("Recreate", "RollingUpdate"))]
    if rolling is None:
        return [required(f"{field}.rollingUpdate", "this should be defaulted and never be nil")]
    unavailable, surge = rolling.get("maxUnavailable", 0), rolling.get("maxSurge", 0)
    field = f"{field}.rollingUpdate"
    errors = number_or_percent(f"{field}.maxUnavailable", unavailable) + number_or_percent(f"{field}.maxSurge", surge)
    if is_zero(unavailable) and is_zero(surge):
        errors.append(invalid(f"{field}.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0"))
    return errors + at_most_whole(f"{field}.maxUnavailable", unavailable)
