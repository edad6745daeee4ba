"""Defaults of Secrets; `stringData` is written into `data` (pkg/apis/core/v1/conversion.go)."""

import base64

from weft.apiserver.registry.kind import Object


def default_secret(secret: Object) -> None:
    secret["type"] = secret.get("type") or "Opaque"
    for key, text in secret.pop("stringData", {}).items():
        secret.setdefault("data", {})[key] = base64.b64encode(text.encode()).decode()
