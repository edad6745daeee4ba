"""Validation of pod templates (pkg/apis/core/validation: ValidatePodTemplateSpec)."""

from weft.apiserver.kinds.pods.spec import spec_errors
from weft.apiserver.kinds.rules.errors import Errors, forbidden, invalid
from weft.apiserver.kinds.rules.selectors import labels
from weft.apiserver.registry.kind import Object
from weft.apiserver.selectors.names import label_key_errors


def validate_template(template: Object, field: str) -> Errors:
    meta, spec = template.get("metadata") or {}, template.get("spec") or {}
    errors = labels(f"{field}.labels", meta.get("labels") or {})
    for key in sorted(meta.get("annotations") or {}):
        errors += [invalid(f"{field}.annotations", key, message) for message in label_key_errors(key.lower())]
    errors += spec_errors(spec, f"{field}.spec", is_pod=False)
    if spec.get("ephemeralContainers"):
        detail = "ephemeral containers not allowed in pod template"
        errors.append(forbidden(f"{field}.spec.ephemeralContainers", detail))
    return errors
