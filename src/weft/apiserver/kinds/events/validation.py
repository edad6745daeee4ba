"""Validation of Events, with an eventTime and without (pkg/apis/core/validation/events.go)."""

from weft.apiserver.kinds.rules.errors import Errors, each, invalid, required
from weft.apiserver.kinds.rules.names import qualified_name
from weft.apiserver.registry.kind import Object

_LIMITS = {"reportingInstance": 128, "action": 128, "reason": 128, "message": 1024}
_MISMATCH = "does not match event.namespace"


def validate_event(event: Object) -> Errors:
    about = (event.get("involvedObject") or {}).get("namespace", "")
    own = event["metadata"].get("namespace", "")
    if not event.get("eventTime"):
        fits = own == "default" if not about else own == about
        return [] if fits else [invalid("involvedObject.namespace", about, _MISMATCH)]
    errors: Errors = []
    if not about and own not in ("default", "kube-system"):
        errors.append(invalid("involvedObject.namespace", about, _MISMATCH))
    component = event.get("reportingComponent", "")
    if not component:
        errors.append(required("reportingComponent"))
    errors += each("reportingComponent", component, qualified_name(component))
    for name, limit in _LIMITS.items():
        text = event.get(name, "")
        if not text and name != "message":
            errors.append(required(name))
        if len(text.encode()) > limit:
            errors.append(invalid(name, "", f"can have at most {limit} characters"))
    return errors


def validate_update(event: Object, _: Object) -> Errors:
    return validate_event(event)
