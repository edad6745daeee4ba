"""The rules of metadata, alike for every kind (apimachinery's `validation.ValidateObjectMeta`). Pure."""

import calendar
import time as _time_format
from typing import Any

from weft.apiserver.registry.kind import FieldError, Kind, Object
from weft.apiserver.selectors.names import label_key_errors, label_value_errors, path_segment_errors, subdomain_errors

_RBAC = "rbac.authorization.k8s.io"
_ANNOTATIONS_LIMIT = 256 * 1024
GENERATED_SUFFIX = 5
_LONGEST_BASE = 63 - GENERATED_SUFFIX

_IMMUTABLE = "field is immutable"


def stamp(now: float) -> str:
    """RFC 3339 with seconds, as metav1.Time is written."""
    return _time_format.strftime("%Y-%m-%dT%H:%M:%SZ", _time_format.gmtime(now))


def seconds(text: str) -> float:
    return float(calendar.timegm(_time_format.strptime(text, "%Y-%m-%dT%H:%M:%SZ")))


def fill(obj: Object, uid: str, now: float) -> None:
    """What the server decides about a new object."""
    meta = obj["metadata"]
    for name in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "managedFields", "resourceVersion"):
        meta.pop(name, None)
    meta["uid"] = uid
    meta["creationTimestamp"] = stamp(now)


def generated(base: str, suffix: str) -> str:
    return base[:_LONGEST_BASE] + suffix


def carry_over(new: Object, old: Object) -> None:
    """What an update leaves to the server, from the old version. A client may leave any of it out."""
    before, after = old["metadata"], new["metadata"]
    for name in ("creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "uid"):
        if name in before and (name not in ("uid",) or not after.get("uid")):
            after[name] = before[name]
        elif name not in before:
            after.pop(name, None)
    for name in ("selfLink", "managedFields"):
        after.pop(name, None)
    for name in ("name", "namespace"):
        if name in before:
            after.setdefault(name, before[name])


def prune_empty(meta: dict[str, Any]) -> None:
    """Empty maps and lists are not kept, as Go's omitempty leaves them out."""
    for name in ("labels", "annotations", "finalizers", "ownerReferences", "generateName"):
        if name in meta and not meta[name]:
            del meta[name]


def validate(kind: Kind, obj: Object) -> list[FieldError]:
    meta = obj["metadata"]
    errors: list[FieldError] = []
    if base := meta.get("generateName"):
        errors += _name_errors(kind, base.rstrip("-") if base.endswith("-") else base, "metadata.generateName", base)
    if not meta.get("name"):
        errors.append(FieldError("FieldValueRequired", "metadata.name", "name or generateName is required"))
    else:
        errors += _name_errors(kind, meta["name"], "metadata.name", meta["name"])
    errors += label_errors(meta.get("labels") or {}, "metadata.labels")
    errors += _annotation_errors(meta.get("annotations") or {})
    errors += _owner_errors(meta.get("ownerReferences") or [])
    errors += _finalizer_errors(meta.get("finalizers") or [])
    return errors


def validate_update(new: Object, old: Object) -> list[FieldError]:
    """Beyond `validate`: what must stay as it was."""
    before, after = old["metadata"], new["metadata"]
    errors = [
        FieldError("FieldValueInvalid", f"metadata.{name}", _IMMUTABLE, after.get(name, ""))
        for name in ("name", "namespace", "uid")
        if (after.get(name) or "") != (before.get(name) or "")
    ]
    if before.get("deletionTimestamp"):
        added = [each for each in after.get("finalizers") or [] if each not in (before.get("finalizers") or [])]
        if added:
            listed = ", ".join(f'"{each}"' for each in sorted(added))
            why = (
                "no new finalizers can be added if the object is being deleted, found new finalizers "
                f"[]string{{{listed}}}"
            )
            errors.append(FieldError("FieldValueForbidden", "metadata.finalizers", why))
    return errors


def _name_errors(kind: Kind, name: str, field: str, shown: str) -> list[FieldError]:
    rule = kind.validate_name or (path_segment_errors if kind.resource.group == _RBAC else subdomain_errors)
    messages = rule(name)
    return [FieldError("FieldValueInvalid", field, message, shown) for message in messages]


def label_errors(labels: dict[str, Any], field: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for key, value in sorted(labels.items()):
        errors += [FieldError("FieldValueInvalid", field, message, key) for message in label_key_errors(key)]
        errors += [FieldError("FieldValueInvalid", field, message, value) for message in label_value_errors(value)]
    return errors


def _annotation_errors(annotations: dict[str, Any]) -> list[FieldError]:
    errors = [
        FieldError("FieldValueInvalid", "metadata.annotations", message, key)
        for key in sorted(annotations)
        for message in label_key_errors(key.lower())
    ]
    if sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items()) > _ANNOTATIONS_LIMIT:
        detail = f"may not be more than {_ANNOTATIONS_LIMIT} bytes"
        errors.append(FieldError("FieldValueTooLong", "metadata.annotations", detail))
    return errors


def _owner_errors(owners: list[dict[str, Any]]) -> list[FieldError]:
    errors: list[FieldError] = []
    controllers: list[str] = []
    for owner in owners:
        path = "metadata.ownerReferences"
        for name, detail in (
            ("apiVersion", "version must not be empty"),
            ("kind", "must not be empty"),
            ("name", "must not be empty"),
            ("uid", "must not be empty"),
        ):
            if not owner.get(name):
                errors.append(FieldError("FieldValueInvalid", f"{path}.{name}", detail, owner.get(name, "")))
        if owner.get("controller"):
            controllers.append(f"{owner.get('kind')}/{owner.get('name')}")
    if len(controllers) > 1:
        detail = (
            'Only one reference can have Controller set to true. Found "true" in references for '
            f"{controllers[0]} and {controllers[1]}"
        )
        errors.append(FieldError("FieldValueInvalid", "metadata.ownerReferences", detail, owners))
    return errors


def _finalizer_errors(finalizers: list[str]) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, finalizer in enumerate(finalizers):
        path = f"metadata.finalizers[{index}]"
        for message in label_key_errors(finalizer):
            errors.append(FieldError("FieldValueInvalid", path, message, finalizer))
        if "/" not in finalizer and finalizer not in ("orphan", "foregroundDeletion", "kubernetes"):
            detail = "name is neither a standard finalizer name nor is it fully qualified"
            errors.append(FieldError("FieldValueInvalid", path, detail, finalizer))
    if "orphan" in finalizers and "foregroundDeletion" in finalizers:
        detail = "finalizer orphan and foregroundDeletion cannot be both set"
        errors.append(FieldError("FieldValueInvalid", "metadata.finalizers", detail, finalizers))
    return errors
