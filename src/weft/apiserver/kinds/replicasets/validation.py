"""Validation of ReplicaSets (pkg/apis/apps/validation)."""

from weft.apiserver.kinds.pods.template import validate_template
from weft.apiserver.kinds.rules.errors import Errors, forbidden, immutable, invalid, not_supported, required
from weft.apiserver.kinds.rules.numbers import counts
from weft.apiserver.kinds.rules.selectors import is_empty, label_selector, matches
from weft.apiserver.registry.kind import Object

_STATUS_COUNTS = (
    "replicas",
    "fullyLabeledReplicas",
    "readyReplicas",
    "availableReplicas",
    "observedGeneration",
    "terminatingReplicas",
)


def validate_replica_set(replica_set: Object) -> Errors:
    spec = replica_set.get("spec") or {}
    return counts("spec", spec, ("replicas", "minReadySeconds")) + selected_template(spec)


def validate_update(replica_set: Object, old: Object) -> Errors:
    selectors = (each.get("spec", {}).get("selector") for each in (replica_set, old))
    return validate_replica_set(replica_set) + immutable("spec.selector", *selectors)


def validate_status(replica_set: Object, _: Object) -> Errors:
    status = replica_set.get("status") or {}
    errors = counts("status", status, _STATUS_COUNTS)
    for name in ("fullyLabeledReplicas", "readyReplicas", "availableReplicas"):
        if status.get(name, 0) > status.get("replicas", 0):
            errors.append(invalid(f"status.{name}", status[name], "cannot be greater than status.replicas"))
    if status.get("availableReplicas", 0) > status.get("readyReplicas", 0):
        detail = "cannot be greater than readyReplicas"
        errors.append(invalid("status.availableReplicas", status["availableReplicas"], detail))
    return errors


def selected_template(spec: Object) -> Errors:
    """The selector, and the template that it must select."""
    selector, template = spec.get("selector"), spec.get("template") or {}
    errors: Errors = []
    if selector is None:
        errors.append(required("spec.selector"))
    else:
        errors += label_selector("spec.selector", selector)
        if is_empty(selector):
            errors.append(invalid("spec.selector", selector, "empty selector is invalid for deployment"))
    if errors and selector and not is_empty(selector):
        errors.append(invalid("spec.selector", selector, "invalid label selector"))
        return errors
    labels = template.get("metadata", {}).get("labels")
    if selector is None or (not is_empty(selector) and not matches(selector, labels or {})):
        detail = "`selector` does not match template `labels`"
        errors.append(invalid("spec.template.metadata.labels", labels, detail))
    errors += validate_template(template, "spec.template")
    return errors + always_running(template)


def always_running(template: Object, kind: str = "ReplicaSet") -> Errors:
    pod = template.get("spec") or {}
    errors: Errors = []
    if pod.get("restartPolicy") != "Always":
        errors.append(not_supported("spec.template.spec.restartPolicy", pod.get("restartPolicy", ""), ("Always",)))
    if pod.get("activeDeadlineSeconds") is not None:
        detail = f"activeDeadlineSeconds in {kind} is not Supported"
        errors.append(forbidden("spec.template.spec.activeDeadlineSeconds", detail))
    return errors
