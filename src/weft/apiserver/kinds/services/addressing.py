"""clusterIP, clusterIPs, ipFamilies and ipFamilyPolicy must agree with one another."""

from weft.apiserver.kinds.rules.addresses import family_of, legacy_address
from weft.apiserver.kinds.rules.errors import Errors, duplicate, invalid, not_supported, required
from weft.apiserver.registry.kind import Object

FAMILIES = ("IPv4", "IPv6")
POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")


def headless(spec: Object) -> bool:
    """The plural decides, the singular where there is no plural yet."""
    addresses = spec.get("clusterIPs")
    return addresses[0] == "None" if addresses else spec.get("clusterIP") == "None"


def addressing_errors(spec: Object, old: Object | None) -> Errors:
    if spec.get("type") == "ExternalName":
        return []
    addresses = spec.get("clusterIPs", [])
    errors = _singular(spec, addresses) + _families(spec)
    bad = _addresses(addresses, (old or {}).get("clusterIPs", []))
    errors += bad
    if len(addresses) > 2:
        errors.append(invalid("spec.clusterIPs", addresses, "may only hold up to 2 values"))
    if bad:
        return errors
    if len(addresses) > 1 and len({family_of(text) for text in addresses}) != len(addresses):
        errors.append(invalid("spec.clusterIPs", addresses, "may specify no more than one IP for each IP family"))
    if not headless(spec):
        errors += _mismatches(addresses, spec.get("ipFamilies", []))
    return errors


def _singular(spec: Object, addresses: list[str]) -> Errors:
    singular = spec.get("clusterIP", "")
    if singular and not addresses:
        return [required("spec.clusterIPs")]
    if singular and addresses[0] != singular:
        return [invalid("spec.clusterIPs", addresses, "first value must match `clusterIP`")]
    if not singular and addresses:
        return [invalid("spec.clusterIPs", addresses, "must be empty when `clusterIP` is not specified")]
    return []


def _families(spec: Object) -> Errors:
    errors: Errors = []
    families = spec.get("ipFamilies", [])
    for index, family in enumerate(families):
        if family not in FAMILIES:
            errors.append(not_supported(f"spec.ipFamilies[{index}]", family, FAMILIES))
        if family in families[:index]:
            errors.append(duplicate(f"spec.ipFamilies[{index}]", family))
    policy = spec.get("ipFamilyPolicy")
    if policy is not None and policy not in POLICIES:
        errors.append(not_supported("spec.ipFamilyPolicy", policy, POLICIES))
    return errors


def _addresses(addresses: list[str], existing: list[str]) -> Errors:
    errors: Errors = []
    for index, text in enumerate(addresses):
        if index == 0 and text == "None":
            if len(addresses) > 1:
                errors.append(invalid("spec.clusterIPs", addresses, "'None' must be the first and only value"))
            continue
        errors += legacy_address(f"spec.clusterIPs[{index}]", text, existing)
    return errors


def _mismatches(addresses: list[str], families: list[str]) -> Errors:
    return [
        invalid(f"spec.clusterIPs[{index}]", text, f"expected an {family} value as indicated by `ipFamilies[{index}]`")
        for index, (text, family) in enumerate(zip(addresses, families, strict=False))
        if family in FAMILIES and family_of(text) != family
    ]
