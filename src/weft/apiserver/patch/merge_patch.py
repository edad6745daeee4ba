"""JSON merge patch (RFC 7386)."""

from typing import Any


def apply(target: Any, patch: Any) -> Any:
    """null removes a member, an object merges, anything else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = apply(merged.get(name), value)
    return merged
