"""Validation of ConfigMaps (pkg/apis/core/validation: ValidateConfigMap)."""

from weft.apiserver.kinds.rules.errors import Errors, each, forbidden, invalid, too_long
from weft.apiserver.kinds.rules.names import config_key
from weft.apiserver.registry.kind import Object

LARGEST = 1024 * 1024
_FIXED = "field is immutable when `immutable` is set"


def validate_config_map(config: Object) -> Errors:
    data, binary = config.get("data") or {}, config.get("binaryData") or {}
    errors: Errors = []
    for key in sorted(data):
        errors += each(f"data[{key}]", key, config_key(key))
        if key in binary:
            errors.append(invalid(f"data[{key}]", key, "duplicate of key present in binaryData"))
    for key in sorted(binary):
        errors += each(f"binaryData[{key}]", key, config_key(key))
    size = sum(len(text.encode()) for text in data.values()) + sum(decoded_size(text) for text in binary.values())
    if size > LARGEST:
        errors.append(too_long("[]", LARGEST))
    return errors


def validate_update(config: Object, old: Object) -> Errors:
    return frozen(config, old, ("data", "binaryData")) + validate_config_map(config)


def frozen(new: Object, old: Object, names: tuple[str, ...]) -> Errors:
    """Whether `immutable`, once set, is respected (KEP-1412)."""
    if not old.get("immutable"):
        return []
    errors = [] if new.get("immutable") else [forbidden("immutable", _FIXED)]
    return errors + [forbidden(name, _FIXED) for name in names if (new.get(name) or {}) != (old.get(name) or {})]


def decoded_size(text: str) -> int:
    """Bytes behind base64."""
    return len(text) // 4 * 3 - text.count("=", -2)
