"""Validation of Namespaces (pkg/apis/core/validation: ValidateNamespace)."""

from weft.apiserver.kinds.rules.errors import Errors, each, invalid
from weft.apiserver.kinds.rules.names import qualified_name
from weft.apiserver.registry.kind import Object

_STANDARD = ("kubernetes", "orphan", "foregroundDeletion")


def validate_namespace(namespace: Object) -> Errors:
    errors: Errors = []
    for name in namespace.get("spec", {}).get("finalizers") or ():
        errors += each("spec.finalizers", name, qualified_name(name))
        if "/" not in name and name not in _STANDARD:
            detail = "name is neither a standard finalizer name nor is it fully qualified"
            errors.append(invalid("spec.finalizers", name, detail))
    return errors


def validate_update(namespace: Object, _: Object) -> Errors:
    return validate_namespace(namespace)


def validate_status(namespace: Object, _: Object) -> Errors:
    phase = namespace.get("status", {}).get("phase")
    if "deletionTimestamp" not in namespace["metadata"]:
        detail = "may only be 'Active' if `deletionTimestamp` is empty"
        return [] if phase == "Active" else [invalid("status.Phase", phase, detail)]
    detail = "may only be 'Terminating' if `deletionTimestamp` is not empty"
    return [] if phase == "Terminating" else [invalid("status.Phase", phase, detail)]
