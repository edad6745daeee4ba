"""The bodies of PATCH: from bytes and a content type to the function that the patch is."""

from typing import Any

from weft.apiserver import schema
from weft.apiserver.http import body
from weft.apiserver.patch import JsonPatchError, StrategicError, apply_json, apply_merge, apply_strategic
from weft.apiserver.registry import failures
from weft.apiserver.registry.kind import Kind, Object
from weft.apiserver.registry.registry import Change
from weft.cluster.errors import ApiError

_PATCH_TYPES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)
_APPLY = ("application/apply-patch+yaml", "application/apply-patch+cbor")


def change(kind: Kind, content_type: str, raw: bytes) -> Change:
    """The function that the patch is. What does not decode is refused at once, what does not apply by the function."""
    if content_type in _APPLY:
        raise failures.unsupported_media_type(_PATCH_TYPES)
    if content_type not in _PATCH_TYPES:
        raise ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type")
    try:
        decoded = body.json(raw)
    except ValueError as error:
        raise failures.bad_request(f"error decoding patch: {error}") from None
    operations = content_type == _PATCH_TYPES[0]
    if not isinstance(decoded, list if operations else dict):
        go_type = "[]handlers.jsonPatchOp" if operations else "map[string]interface {}"
        why = f"json: cannot unmarshal {body.go_name(decoded)} into Go value of type {go_type}"
        raise failures.bad_request(f"error decoding patch: {why}")

    def patched(old: Object) -> Object:
        try:
            new = _apply(kind, content_type, old, decoded)
        except (JsonPatchError, StrategicError) as error:
            raise _unapplied(content_type, error) from None
        if not isinstance(new, dict):
            raise failures.bad_request("the patch makes no object")
        return _same_kind(new, old)

    return patched


def _apply(kind: Kind, content_type: str, old: Object, decoded: Any) -> Any:
    if content_type == _PATCH_TYPES[0]:
        return apply_json(old, decoded)
    if content_type == _PATCH_TYPES[1]:
        return apply_merge(old, decoded)
    resource = kind.resource
    return apply_strategic(old, decoded, schema.merge_info(resource.group, resource.version, resource.kind))


def _unapplied(content_type: str, error: ValueError) -> ApiError:
    """As kube-apiserver's patcher, which does not tell more of a JSON patch than that it does not apply."""
    if content_type == _PATCH_TYPES[0]:
        return ApiError(422, "Invalid", "the server rejected our request due to an error in our request")
    if str(error).startswith("invalid "):
        return failures.bad_request(str(error))
    return failures.without_reason(str(error))


def _same_kind(new: Object, old: Object) -> Object:
    for name in ("apiVersion", "kind"):
        if new.get(name, old.get(name)) != old.get(name):
            raise failures.bad_request(f"the {name} of an object cannot be patched")
        if name in old:
            new[name] = old[name]
    return new
