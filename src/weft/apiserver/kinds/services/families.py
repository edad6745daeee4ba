"""Which address families a Service has (KEP-563, dual stack): what it leaves unsaid is settled here."""

from collections.abc import Sequence

from weft.apiserver.kinds.rules.addresses import family_of
from weft.apiserver.kinds.rules.errors import Errors, invalid
from weft.apiserver.kinds.services.addressing import addressing_errors, headless
from weft.apiserver.registry.kind import Object

SINGLE, PREFER, REQUIRE = "SingleStack", "PreferDualStack", "RequireDualStack"
_OTHER = {"IPv4": "IPv6", "IPv6": "IPv4"}


def settle_families(new: Object, old: Object | None, configured: Sequence[str]) -> Errors:
    """Fill in ipFamilyPolicy and ipFamilies in place. `configured`: the cluster's families, the primary one first.

    Both are specs. What comes back makes the Service invalid.
    """
    if new["type"] == "ExternalName" or keeps_preference(new, old):
        return []
    _settle_policy(new, old)
    errors = addressing_errors(new, old)
    if errors:
        return errors
    if old is not None:
        errors += _shrink(new, old)
    errors += _contradictions(new)
    errors += _infer_from_addresses(new, configured)
    if errors:
        return errors
    if headless(new) and not new.get("selector"):
        families = new.setdefault("ipFamilies", [configured[0]])
        if len(families) < 2 and new["ipFamilyPolicy"] != SINGLE:
            families.append(_OTHER[families[0]])
        return []
    return _fit_to_cluster(new, configured)


def keeps_preference(new: Object, old: Object | None) -> bool:
    """A PreferDualStack Service is left as it is until somebody changes its families or addresses."""
    return (
        old is not None
        and new["type"] == old.get("type")
        and new["type"] != "ExternalName"
        and new.get("ipFamilyPolicy") == PREFER
        and old.get("ipFamilyPolicy", PREFER) == PREFER
        and new.get("clusterIPs") == old.get("clusterIPs")
        and new.get("ipFamilies") == old.get("ipFamilies")
    )


def _settle_policy(new: Object, old: Object | None) -> None:
    if new.get("ipFamilyPolicy"):
        return
    if old is not None and old.get("ipFamilyPolicy"):
        new["ipFamilyPolicy"] = old["ipFamilyPolicy"]
    else:
        new["ipFamilyPolicy"] = REQUIRE if headless(new) and not new.get("selector") else SINGLE


def _shrink(new: Object, old: Object) -> Errors:
    """Going back to one family takes SingleStack; then the second address and family go by themselves."""
    pairs = (("clusterIPs", "cluster IP"), ("ipFamilies", "IP family"))
    if new["ipFamilyPolicy"] == SINGLE:
        for name, _ in pairs:
            if len(new.get(name, ())) > 1 and new[name] == old.get(name):
                new[name] = new[name][:1]
        return []
    return [
        invalid("spec.ipFamilyPolicy", new["ipFamilyPolicy"], f"must be 'SingleStack' to release the secondary {what}")
        for name, what in pairs
        if new.get(name) and len(new[name]) < len(old.get(name, ()))
    ]


def _contradictions(new: Object) -> Errors:
    if new["ipFamilyPolicy"] != SINGLE:
        return []
    pairs = (("clusterIPs", "cluster IPs"), ("ipFamilies", "IP families"))
    return [
        invalid(
            "spec.ipFamilyPolicy",
            SINGLE,
            f"must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are specified",
        )
        for name, what in pairs
        if len(new.get(name, ())) == 2
    ]


def _infer_from_addresses(new: Object, configured: Sequence[str]) -> Errors:
    errors: Errors = []
    for index, text in enumerate(new.get("clusterIPs", ())):
        if text == "None":
            break
        if index < len(new.get("ipFamilies", ())):
            continue
        found = family_of(text)
        if found not in configured:
            detail = f"{found} is not configured on this cluster"
            errors.append(invalid(f"spec.clusterIPs[{index}]", new["clusterIPs"], detail))
        else:
            new.setdefault("ipFamilies", []).append(found)
    return errors


def _fit_to_cluster(new: Object, configured: Sequence[str]) -> Errors:
    errors: Errors = []
    if new["ipFamilyPolicy"] == REQUIRE and len(configured) < 2:
        detail = "this cluster is not configured for dual-stack services"
        errors.append(invalid("spec.ipFamilyPolicy", REQUIRE, detail))
    for index, family in enumerate(new.get("ipFamilies", ())):
        if family not in configured:
            errors.append(invalid(f"spec.ipFamilies[{index}]", family, "not configured on this cluster"))
    if errors:
        return errors
    families = new.setdefault("ipFamilies", [configured[0]])
    if new["ipFamilyPolicy"] != SINGLE and len(families) == 1 and len(configured) == 2:
        families.append(_OTHER[families[0]])
    return []
