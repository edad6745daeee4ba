"""Validation of ControllerRevisions (pkg/apis/apps/validation)."""

from weft.apiserver.kinds.rules.errors import Errors, immutable, required
from weft.apiserver.kinds.rules.numbers import not_negative
from weft.apiserver.registry.kind import Object


def validate_controller_revision(revision: Object) -> Errors:
    errors = not_negative("revision", revision.get("revision"))
    data = revision.get("data")
    if data is None:
        errors.append(required("data", "data is mandatory"))
    elif not isinstance(data, dict):
        errors.append(required("data", "data must be a valid JSON object"))
    return errors


def validate_update(revision: Object, old: Object) -> Errors:
    return not_negative("revision", revision.get("revision")) + immutable("data", revision["data"], old["data"])
