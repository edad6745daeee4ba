"""Validation of Secrets (pkg/apis/core/validation: ValidateSecret)."""

import base64

import msgspec

from weft.apiserver.kinds.configmaps.validation import LARGEST, decoded_size, frozen
from weft.apiserver.kinds.rules.errors import Errors, each, immutable, invalid, required, too_long
from weft.apiserver.kinds.rules.names import config_key
from weft.apiserver.registry.kind import Object

_ACCOUNT = "kubernetes.io/service-account.name"
_DOCKER = {"kubernetes.io/dockercfg": ".dockercfg", "kubernetes.io/dockerconfigjson": ".dockerconfigjson"}
_REDACTED = "<secret contents redacted>"


def validate_secret(secret: Object) -> Errors:
    data = secret.get("data") or {}
    errors: Errors = []
    for key in sorted(data):
        errors += each(f"data[{key}]", key, config_key(key))
    if sum(decoded_size(text) for text in data.values()) > LARGEST:
        errors.append(too_long("data", LARGEST))
    return errors + _by_type(secret, data)


def validate_update(secret: Object, old: Object) -> Errors:
    errors = immutable("type", secret.get("type"), old.get("type"))
    return errors + frozen(secret, old, ("data",)) + validate_secret(secret)


def _by_type(secret: Object, data: dict[str, str]) -> Errors:
    kind = secret.get("type", "")
    if kind == "kubernetes.io/service-account-token":
        annotations = secret["metadata"].get("annotations", {})
        return [] if annotations.get(_ACCOUNT) else [required(f"metadata.annotations[{_ACCOUNT}]")]
    if kind in _DOCKER:
        return _docker(data, _DOCKER[kind])
    if kind == "kubernetes.io/basic-auth" and not data.keys() & {"username", "password"}:
        return [required("data[username]"), required("data[password]")]
    if kind == "kubernetes.io/ssh-auth" and not data.get("ssh-privatekey"):
        return [required("data[ssh-privatekey]")]
    if kind == "kubernetes.io/tls":
        return [required(f"data[{key}]") for key in ("tls.crt", "tls.key") if key not in data]
    return []


def _docker(data: dict[str, str], key: str) -> Errors:
    if key not in data:
        return [required(f"data[{key}]")]
    try:
        msgspec.json.decode(base64.b64decode(data[key]), type=dict)
    except (msgspec.DecodeError, ValueError) as error:
        return [invalid(f"data[{key}]", _REDACTED, str(error))]
    return []
