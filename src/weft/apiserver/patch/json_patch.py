"""JSON patch (RFC 6902): a list of operations on JSON pointers (RFC 6901)."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

MAX_OPERATIONS = 10_000
"""As kube-apiserver's limit."""


class JsonPatchError(ValueError):
    """An operation that cannot be done. Nothing of the patch is then applied."""


def apply(document: Any, patch: Any) -> Any:
    """Raises JsonPatchError."""
    if not isinstance(patch, list):
        raise JsonPatchError("json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    if len(patch) > MAX_OPERATIONS:
        raise JsonPatchError(f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(patch)}")
    root = [deepcopy(document)]
    for operation in patch:
        if not isinstance(operation, dict):
            raise JsonPatchError("json: cannot unmarshal value into Go value of type jsonpatch.Operation")
        _apply_one(root, operation)
    return root[0]


def _apply_one(root: list[Any], operation: dict[str, Any]) -> None:
    name, path = operation.get("op"), operation.get("path")
    if not isinstance(path, str):
        raise JsonPatchError(f"{name} operation does not apply: missing path")
    if name == "add":
        _add(root, path, _value(operation))
    elif name == "remove":
        _remove(root, path, "remove")
    elif name == "replace":
        _replace(root, path, _value(operation))
    elif name in ("move", "copy"):
        source = operation.get("from")
        if not isinstance(source, str):
            raise JsonPatchError(f"{name} operation does not apply: missing from")
        if name == "move" and path.startswith(source + "/"):
            raise JsonPatchError("move operation does not apply: a value cannot move into itself")
        value = deepcopy(_get(root, source, name))
        if name == "move":
            _remove(root, source, "move")
        _add(root, path, value)
    elif name == "test":
        _test(root, path, operation.get("value"))
    else:
        raise JsonPatchError(f"Unexpected kind: {name}")


def _value(operation: dict[str, Any]) -> Any:
    if "value" not in operation:
        raise JsonPatchError(f"{operation['op']} operation does not apply: missing value")
    return deepcopy(operation["value"])


def _tokens(path: str) -> list[str]:
    if path == "":
        return []
    if not path.startswith("/"):
        raise JsonPatchError(f"invalid JSON pointer: {path}")
    return [token.replace("~1", "/").replace("~0", "~") for token in path[1:].split("/")]


def _index(container: list[Any], token: str, operation: str, *, end: bool = False) -> int:
    """`end`: one past the last place is allowed (add)."""
    if not token.isascii() or not token.isdigit() or (len(token) > 1 and token[0] == "0"):
        raise JsonPatchError(f"{operation} operation does not apply: invalid array index: {token}")
    index = int(token)
    if index >= len(container) + (1 if end else 0):
        raise JsonPatchError(f"{operation} operation does not apply: Unable to access invalid index: {index}")
    return index


def _step(container: Any, token: str, path: str, operation: str) -> Any:
    if isinstance(container, dict) and token in container:
        return container[token]
    if isinstance(container, list):
        return container[_index(container, token, operation)]
    raise JsonPatchError(f"{operation} operation does not apply: doc is missing path: {path}: missing value")


def _get(root: list[Any], path: str, operation: str) -> Any:
    value = root[0]
    for token in _tokens(path):
        value = _step(value, token, path, operation)
    return value


def _parent(root: list[Any], path: str, operation: str) -> tuple[Any, str]:
    tokens: Sequence[str] = _tokens(path)
    container = root[0]
    for token in tokens[:-1]:
        container = _step(container, token, path, operation)
    return container, tokens[-1]


def _add(root: list[Any], path: str, value: Any) -> None:
    if path == "":
        root[0] = value
        return
    container, token = _parent(root, path, "add")
    if isinstance(container, dict):
        container[token] = value
    elif isinstance(container, list):
        container.insert(len(container) if token == "-" else _index(container, token, "add", end=True), value)
    else:
        raise JsonPatchError(f"add operation does not apply: doc is missing path: {path}: missing value")


def _remove(root: list[Any], path: str, operation: str) -> None:
    if path == "":
        raise JsonPatchError(f"{operation} operation does not apply: the root cannot be removed")
    container, token = _parent(root, path, operation)
    if isinstance(container, list):
        del container[_index(container, token, operation)]
    elif isinstance(container, dict) and token in container:
        del container[token]
    else:
        raise JsonPatchError(
            f"{operation} operation does not apply: Unable to remove nonexistent key: {token}: missing value"
        )


def _replace(root: list[Any], path: str, value: Any) -> None:
    if path == "":
        root[0] = value
        return
    container, token = _parent(root, path, "replace")
    if isinstance(container, list):
        container[_index(container, token, "replace")] = value
    elif isinstance(container, dict) and token in container:
        container[token] = value
    else:
        raise JsonPatchError(f"replace operation does not apply: doc is missing key: {path}: missing value")


def _test(root: list[Any], path: str, wanted: Any) -> None:
    try:
        found = _get(root, path, "test")
    except JsonPatchError:
        found = None
    if not _equal(found, wanted):
        raise JsonPatchError(f"testing value {path} failed: test failed")


def _equal(one: Any, other: Any) -> bool:
    """JSON equality: true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_equal(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)
