"""What an update of a Service may not change: addresses, families, class, health check port."""

from weft.apiserver.kinds.rules.errors import IMMUTABLE, Errors, forbidden, invalid
from weft.apiserver.kinds.services.addressing import headless
from weft.apiserver.kinds.services.assign import needs_health_check
from weft.apiserver.kinds.services.balancers import class_update_errors
from weft.apiserver.kinds.services.validation import validate_service
from weft.apiserver.registry.kind import Object

_FIXED = "may not change once set"


def validate_update(service: Object, old: Object) -> Errors:
    spec, before = service["spec"], old["spec"]
    errors: Errors = []
    if "ExternalName" not in (spec.get("type"), before.get("type")):
        if not (headless(spec) and headless(before)):
            errors += _addresses(spec, before)
        if not headless(spec) and not headless(before):
            errors += _families(spec, before)
    errors += class_update_errors(spec, before)
    checked = needs_health_check(spec) and needs_health_check(before)
    if checked and spec.get("healthCheckNodePort") != before.get("healthCheckNodePort"):
        errors.append(forbidden("spec.healthCheckNodePort", IMMUTABLE))
    return errors + validate_service(service, old)


def _addresses(spec: Object, old: Object) -> Errors:
    new, before = spec.get("clusterIPs", []), old.get("clusterIPs", [])
    if len(new) == len(before):
        return [
            invalid(f"spec.clusterIPs[{index}]", new, _FIXED) for index, text in enumerate(before) if text != new[index]
        ]
    errors: Errors = []
    if not new:
        errors.append(invalid("spec.clusterIPs[0]", new or None, "primary clusterIP can not be unset"))
    elif before and new[0] != before[0]:
        errors.append(invalid("spec.clusterIPs[0]", new, _FIXED))
    if len(before) > len(new) == 1 and spec.get("ipFamilyPolicy") != "SingleStack":
        detail = "must be set to 'SingleStack' when releasing the secondary clusterIP"
        errors.append(invalid("spec.ipFamilyPolicy", spec.get("ipFamilyPolicy"), detail))
    return errors


def _families(spec: Object, old: Object) -> Errors:
    new, before = spec.get("ipFamilies", []), old.get("ipFamilies", [])
    if len(new) == len(before):
        return [invalid("spec.ipFamilies[0]", new, _FIXED) for index, name in enumerate(before) if name != new[index]]
    errors: Errors = []
    if new and before and new[0] != before[0]:
        errors.append(invalid("spec.ipFamilies[0]", spec.get("clusterIPs"), _FIXED))
    if len(before) > len(new) == 1 and spec.get("ipFamilyPolicy") != "SingleStack":
        detail = "must be set to 'SingleStack' when releasing the secondary ipFamily"
        errors.append(invalid("spec.ipFamilyPolicy", spec.get("ipFamilyPolicy"), detail))
    return errors
