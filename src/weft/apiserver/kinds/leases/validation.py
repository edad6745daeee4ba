"""Validation of Leases (pkg/apis/coordination/validation). Coordinated election (KEP-4355) is off, as upstream's is."""

from weft.apiserver.kinds.rules.errors import Errors, invalid
from weft.apiserver.kinds.rules.numbers import NEGATIVE
from weft.apiserver.registry.kind import Object


def drop_disabled(lease: Object) -> None:
    for name in ("strategy", "preferredHolder"):
        lease.get("spec", {}).pop(name, None)


def validate_lease(lease: Object) -> Errors:
    spec = lease.get("spec", {})
    errors: Errors = []
    seconds, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if seconds is not None and seconds <= 0:
        errors.append(invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"))
    if transitions is not None and transitions < 0:
        errors.append(invalid("spec.leaseTransitions", transitions, NEGATIVE))
    return errors


def validate_update(lease: Object, _: Object) -> Errors:
    return validate_lease(lease)
