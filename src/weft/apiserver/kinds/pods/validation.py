"""Validation of pods: created, updated, their status and their ephemeral containers (pkg/apis/core/validation)."""

import copy
import difflib
import json

from weft.apiserver.kinds.pods.scheduling import toleration_errors
from weft.apiserver.kinds.pods.spec import spec_errors
from weft.apiserver.kinds.rules import names
from weft.apiserver.kinds.rules.errors import Errors, each, forbidden, immutable, invalid, required
from weft.apiserver.registry.kind import Object

_MAY_CHANGE = (
    "`spec.containers[*].image`",
    "`spec.initContainers[*].image`",
    "`spec.activeDeadlineSeconds`",
    "`spec.tolerations` (only additions to existing tolerations)",
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
)
_OWN_CONDITIONS = ("PodScheduled", "Ready", "Initialized")
_LONGEST = 2**31 - 1


def validate_pod(pod: Object) -> Errors:
    spec = pod.get("spec") or {}
    errors = spec_errors(spec, "spec", is_pod=True)
    if spec.get("ephemeralContainers"):
        errors.append(forbidden("spec.ephemeralContainers", "cannot be set on create"))
    if spec.get("nodeName") and spec.get("schedulingGates"):
        errors.append(forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared"))
    return errors


def validate_update(pod: Object, old: Object) -> Errors:
    """Of all writes but those to status; a binding and new ephemeral containers come here too."""
    spec, before = pod.get("spec") or {}, old.get("spec") or {}
    errors = spec_errors(spec, "spec", is_pod=True)
    for name in ("containers", "initContainers"):
        found, counted = _images(spec.get(name) or [], before.get(name) or [], f"spec.{name}")
        errors += found
        if not counted:
            return errors
    deadline, late = _deadline(spec.get("activeDeadlineSeconds"), before.get("activeDeadlineSeconds"))
    errors += deadline
    if late:
        return errors
    errors += _added_tolerations(spec.get("tolerations") or [], before.get("tolerations") or [])
    errors += _removed_gates(spec, before)
    errors += _ephemeral(spec, before)
    return errors if spec == before else errors + _fixed(spec, before)


def validate_status(pod: Object, old: Object) -> Errors:
    status, before = pod.get("status") or {}, old.get("status") or {}
    errors: Errors = []
    for index, condition in enumerate(status.get("conditions") or ()):
        name = condition.get("type", "")
        if name not in _OWN_CONDITIONS:
            errors += each(f"status.conditions[{index}].Type", name, names.qualified_name(name))
    nominated = status.get("nominatedNodeName")
    if nominated and nominated != before.get("nominatedNodeName"):
        errors += each("status.nominatedNodeName", nominated, names.subdomain(nominated))
    return errors + immutable("status.qosClass", status.get("qosClass"), before.get("qosClass"))


def _images(new: list[Object], old: list[Object], field: str) -> tuple[Errors, bool]:
    """Errors, and whether there are as many containers as before."""
    if len(new) != len(old):
        return [forbidden(field, "pod updates may not add or remove containers")], False
    errors: Errors = []
    for index, container in enumerate(new):
        image = container.get("image", "")
        if not image:
            errors.append(required(f"{field}[{index}].image"))
    return errors, True


def _deadline(new: int | None, old: int | None) -> tuple[Errors, bool]:
    """Errors, and whether they end the validation."""
    field = "spec.activeDeadlineSeconds"
    if new is None:
        detail = "must not update from a positive integer to nil value"
        return ([invalid(field, None, detail)] if old is not None else []), False
    if not 0 <= new <= _LONGEST:
        return each(field, new, names.between(new, 0, _LONGEST)), True
    if old is not None and old < new:
        return [invalid(field, new, "must be less than or equal to previous value")], True
    return [], False


def _added_tolerations(new: list[Object], old: list[Object]) -> Errors:
    def bare(toleration: Object) -> Object:
        return {key: value for key, value in toleration.items() if key != "tolerationSeconds"}

    kept = [bare(toleration) for toleration in new]
    if any(bare(toleration) not in kept for toleration in old):
        detail = "existing toleration can not be modified except its tolerationSeconds"
        return [forbidden("spec.tolerations", detail)]
    return toleration_errors(new, "spec.tolerations")


def _removed_gates(new: Object, old: Object) -> Errors:
    before = [gate.get("name") for gate in old.get("schedulingGates") or ()]
    return [
        forbidden(f"spec.schedulingGates[{index}]", "only deletion is allowed, but found new scheduling gate")
        for index, gate in enumerate(new.get("schedulingGates") or ())
        if gate.get("name") not in before
    ]


def _ephemeral(new: Object, old: Object) -> Errors:
    present = {each_of.get("name"): each_of for each_of in new.get("ephemeralContainers") or ()}
    errors: Errors = []
    for container in old.get("ephemeralContainers") or ():
        name = container.get("name")
        if name not in present:
            errors.append(
                forbidden("spec.ephemeralContainers", f'existing ephemeral containers "{name}" may not be removed\n')
            )
        elif present[name] != container:
            difference = _difference(container, present[name])
            detail = f'existing ephemeral containers "{name}" may not be changed\n{difference}'
            errors.append(forbidden("spec.ephemeralContainers", detail))
    return errors


def _fixed(new: Object, old: Object) -> Errors:
    """Everything else must be as it was; the difference is shown."""
    same = copy.deepcopy(new)
    for name in ("containers", "initContainers"):
        for container, before in zip(same.get(name) or (), old.get(name) or (), strict=True):
            container["image"] = before.get("image")
    changeable = ["activeDeadlineSeconds", "schedulingGates", "tolerations", "ephemeralContainers"]
    if not old.get("nodeName"):
        changeable.append("nodeName")
    if old.get("terminationGracePeriodSeconds", 0) < 0 and new.get("terminationGracePeriodSeconds") == 1:
        changeable.append("terminationGracePeriodSeconds")
    for name in changeable:
        same.pop(name, None)
        if name in old:
            same[name] = old[name]
    if same == old:
        return []
    detail = f"pod updates may not change fields other than {','.join(_MAY_CHANGE)}\n{_difference(old, same)}"
    return [forbidden("spec", detail)]


def _difference(old: Object, new: Object) -> str:
    lines = difflib.unified_diff(_lines(old), _lines(new))
    return "".join(list(lines)[2:])


def _lines(part: Object) -> list[str]:
    return json.dumps(part, indent=1, sort_keys=True).splitlines(keepends=True)
