"""Validation of Nodes (pkg/apis/core/validation: ValidateNode, ValidateNodeUpdate)."""

from weft.apiserver.kinds.rules.addresses import family_of, legacy_range
from weft.apiserver.kinds.rules.errors import Errors, each, forbidden, invalid, not_supported, required
from weft.apiserver.kinds.rules.names import qualified_name
from weft.apiserver.kinds.rules.numbers import not_negative_quantity
from weft.apiserver.registry.kind import FieldError, Object
from weft.apiserver.selectors.names import label_value_errors

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_FIXED = 'node updates may not change {} except from "" to valid'


def validate_node(node: Object) -> Errors:
    spec = node.get("spec", {})
    errors = _taints(spec.get("taints") or []) + _resources(node)
    ranges = spec.get("podCIDRs") or []
    for index, text in enumerate(ranges):
        errors += legacy_range(f"spec.podCIDRs[{index}]", text)
    families = {family_of(text.partition("/")[0]) for text in ranges}
    if len(ranges) > 1 and len(families) != len(ranges):
        errors.append(invalid("spec.podCIDRs", ranges, "may specify no more than one CIDR for each IP family"))
    return errors


def validate_update(node: Object, old: Object) -> Errors:
    spec, before = node.get("spec", {}), old.get("spec", {})
    errors = _resources(node)
    if before.get("podCIDRs") and before["podCIDRs"] != spec.get("podCIDRs"):
        errors.append(forbidden("spec.podCIDRs", _FIXED.format("podCIDR")))
    if before.get("providerID") and before["providerID"] != spec.get("providerID"):
        errors.append(forbidden("spec.providerID", _FIXED.format("providerID")))
    return errors + _taints(spec.get("taints") or [])


def match_ranges(node: Object) -> None:
    """podCIDR and podCIDRs say the same; either may be given (pkg/apis/core/v1/conversion.go)."""
    spec = node.setdefault("spec", {})
    if spec.get("podCIDRs"):
        spec["podCIDR"] = spec["podCIDRs"][0]
    elif spec.get("podCIDR"):
        spec["podCIDRs"] = [spec["podCIDR"]]


def _taints(taints: list[Object]) -> Errors:
    errors: Errors = []
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate(taints):
        field = f"metadata.taints[{index}]"
        key, value, effect = taint.get("key", ""), taint.get("value", ""), taint.get("effect", "")
        errors += each(f"{field}.key", key, qualified_name(key))
        messages = label_value_errors(value)
        if messages:
            errors.append(invalid(f"{field}.value", value, ";".join(messages)))
        if not effect:
            errors.append(required(f"{field}.effect"))
        elif effect not in EFFECTS:
            errors.append(not_supported(f"{field}.effect", effect, EFFECTS))
        if (key, effect) in seen:
            shown = {"Key": key, "Value": value, "Effect": effect, "TimeAdded": taint.get("timeAdded")}
            detail = "taints must be unique by key and effect pair"
            errors.append(FieldError("FieldValueDuplicate", field, detail, shown))
        seen.add((key, effect))
    return errors


def _resources(node: Object) -> Errors:
    status = node.get("status", {})
    return [
        error
        for part in ("capacity", "allocatable")
        for name, text in (status.get(part) or {}).items()
        for error in not_negative_quantity(f"status.{part}.{name}", text)
    ]
