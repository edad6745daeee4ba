"""Validation of probes, handlers and lifecycle hooks (pkg/apis/core/validation: validateProbe, validateHandler)."""

from weft.apiserver.kinds.rules import names
from weft.apiserver.kinds.rules.errors import Errors, each, forbidden, invalid, not_supported, required
from weft.apiserver.kinds.rules.numbers import counts
from weft.apiserver.registry.kind import Object

_COUNTS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")


def probe_errors(probe: Object, name: str, field: str) -> Errors:
    """`name`: livenessProbe, readinessProbe or startupProbe."""
    errors = handler_errors(probe, field)
    errors += counts(field, probe, _COUNTS)
    grace = probe.get("terminationGracePeriodSeconds")
    if grace is not None and grace <= 0:
        errors.append(invalid(f"{field}.terminationGracePeriodSeconds", grace, "must be greater than 0"))
    if name == "readinessProbe":
        if grace is not None:
            detail = "must not be set for readinessProbes"
            errors.append(invalid(f"{field}.terminationGracePeriodSeconds", grace, detail))
    elif probe.get("successThreshold") != 1:
        errors.append(invalid(f"{field}.successThreshold", probe.get("successThreshold"), "must be 1"))
    return errors


def lifecycle_errors(lifecycle: Object, field: str, grace: int) -> Errors:
    errors: Errors = []
    for name in ("postStart", "preStop"):
        if lifecycle.get(name) is not None:
            errors += handler_errors(lifecycle[name], f"{field}.{name}", grace)
    return errors


def handler_errors(handler: Object, field: str, grace: int = 0) -> Errors:
    """`grace`: seconds that the pod has to end in; a hook may not sleep longer."""
    given = [name for name in _HANDLERS if handler.get(name) is not None]
    if not given:
        return [required(field, "must specify a handler type")]
    errors = _handler(given[0], handler[given[0]], f"{field}.{given[0]}", grace)
    return errors + [forbidden(f"{field}.{name}", "may not specify more than 1 handler type") for name in given[1:]]


def _handler(name: str, action: Object, field: str, grace: int) -> Errors:
    if name == "exec":
        return [] if action.get("command") else [required(f"{field}.command")]
    if name == "sleep":
        seconds = action.get("seconds", 0)
        if 0 <= seconds <= grace:
            return []
        detail = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
        return [invalid(field, seconds, detail)]
    port = action.get("port", 0)
    where = f"{field}.port"
    if name != "httpGet":
        return each(where, port, names.port_number_or_name(port))
    errors = [] if action.get("path") else [required(f"{field}.path")]
    errors += each(where, port, names.port_number_or_name(port))
    if action.get("scheme") not in ("HTTP", "HTTPS"):
        errors.append(not_supported(f"{field}.scheme", action.get("scheme", ""), ("HTTP", "HTTPS")))
    for header in action.get("httpHeaders") or ():
        errors += each(f"{field}.httpHeaders", header.get("name", ""), names.header(header.get("name", "")))
    return errors
