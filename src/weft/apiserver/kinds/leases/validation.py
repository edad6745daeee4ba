"""Validation of Leases (pkg/apis/coordination/validation)."""

from weft.apiserver.kinds.rules.errors import Errors, each, forbidden, invalid, not_supported
from weft.apiserver.kinds.rules.names import qualified_name
from weft.apiserver.kinds.rules.numbers import NEGATIVE
from weft.apiserver.registry.kind import Object


def validate_lease(lease: Object) -> Errors:
    spec = lease.get("spec", {})
    errors: Errors = []
    seconds, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if seconds is not None and seconds <= 0:
        errors.append(invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"))
    if transitions is not None and transitions < 0:
        errors.append(invalid("spec.leaseTransitions", transitions, NEGATIVE))
    strategy = spec.get("strategy")
    if strategy is not None and "/" in strategy:
        errors += each("spec.strategy.strategy", strategy, qualified_name(strategy))
    elif strategy is not None and strategy != "OldestEmulationVersion":
        errors.append(not_supported("spec.strategy.strategy", strategy, ("OldestEmulationVersion",)))
    if spec.get("preferredHolder") and not strategy:
        errors.append(forbidden("spec.preferredHolder", "may only be specified if `strategy` is defined"))
    return errors


def validate_update(lease: Object, _: Object) -> Errors:
    return validate_lease(lease)
