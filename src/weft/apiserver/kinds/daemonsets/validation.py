"""Validation of DaemonSets (pkg/apis/apps/validation)."""

from weft.apiserver.kinds.deployments.validation import not_decremented
from weft.apiserver.kinds.pods.template import validate_template
from weft.apiserver.kinds.replicasets.validation import always_running
from weft.apiserver.kinds.rules.errors import Errors, immutable, invalid, not_supported, required
from weft.apiserver.kinds.rules.numbers import at_most_whole, counts, is_zero, number_or_percent
from weft.apiserver.kinds.rules.selectors import is_empty, label_selector, matches
from weft.apiserver.registry.kind import Object

_STATUS_COUNTS = (
    "currentNumberScheduled",
    "numberMisscheduled",
    "desiredNumberScheduled",
    "numberReady",
    "observedGeneration",
    "updatedNumberScheduled",
    "numberAvailable",
    "numberUnavailable",
    "collisionCount",
)


def validate_daemon_set(daemon_set: Object) -> Errors:
    spec = daemon_set.get("spec") or {}
    selector, template = spec.get("selector"), spec.get("template") or {}
    errors = label_selector("spec.selector", selector)
    labels = template.get("metadata", {}).get("labels")
    if not errors and (selector is None or not matches(selector, labels or {})):
        detail = "`selector` does not match template `labels`"
        errors.append(invalid("spec.template.metadata.labels", labels, detail))
    if selector is not None and is_empty(selector):
        errors.append(invalid("spec.selector", selector, "empty selector is invalid for daemonset"))
    errors += validate_template(template, "spec.template")
    errors += always_running(template, "DaemonSet")
    errors += counts("spec", spec, ("minReadySeconds",))
    errors += _strategy(spec.get("updateStrategy") or {})
    return errors + counts("spec", spec, ("revisionHistoryLimit",))


def validate_update(daemon_set: Object, old: Object) -> Errors:
    selectors = (each.get("spec", {}).get("selector") for each in (daemon_set, old))
    return immutable("spec.selector", *selectors) + validate_daemon_set(daemon_set)


def validate_status(daemon_set: Object, old: Object) -> Errors:
    status = daemon_set.get("status") or {}
    return counts("status", status, _STATUS_COUNTS) + not_decremented(status, old.get("status") or {})


def _strategy(strategy: Object) -> Errors:
    field, kind, rolling = "spec.updateStrategy", strategy.get("type"), strategy.get("rollingUpdate")
    if kind == "OnDelete":
        return []
    if kind != "RollingUpdate":
        return [not_supported(field, {"Type": kind, "RollingUpdate": None}, ("RollingUpdate", "OnDelete"))]
    if rolling is None:
        return [required(f"{field}.rollingUpdate")]
    unavailable, surge = rolling.get("maxUnavailable", 0), rolling.get("maxSurge", 0)
    places = ((f"{field}.rollingUpdate.maxUnavailable", unavailable), (f"{field}.rollingUpdate.maxSurge", surge))
    errors = [error for place, value in places for error in number_or_percent(place, value)]
    errors += [error for place, value in places for error in at_most_whole(place, value)]
    if not is_zero(unavailable) and not is_zero(surge):
        errors.append(invalid(places[1][0], surge, "may not be set when maxUnavailable is non-zero"))
    if is_zero(unavailable) and is_zero(surge):
        errors.append(required(places[0][0], "cannot be 0 when maxSurge is 0"))
    return errors
