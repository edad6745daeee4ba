"""Strategic merge patch: a merge patch that knows from the type which lists merge by a key.

Directives, as the API conventions and the "preserve order" design proposal describe them: `$patch` (replace, delete),
`$retainKeys`, `$setElementOrder/FIELD`, `$deleteFromPrimitiveList/FIELD`.
"""

from collections.abc import Callable
from typing import Any

from weft.apiserver.schema import MergeInfo

Object = dict[str, Any]
_PATCH = "$patch"
_RETAIN = "$retainKeys"
_ORDER = "$setElementOrder/"
_DELETE = "$deleteFromPrimitiveList/"
_ABSENT = object()


class StrategicError(ValueError):
    """A patch whose directives or types do not fit."""


def apply(target: Object, patch: Any, info: MergeInfo | None) -> Object:
    """`info` is the kind's root; None merges like a merge patch with directives. Raises StrategicError."""
    if not isinstance(patch, dict):
        raise StrategicError("invalid JSON document")
    return _merge_map(target, patch, info)


def _child(info: MergeInfo | None, name: str) -> MergeInfo | None:
    return info.child(name) if info else None


def _merge_map(target: Object, patch: Object, info: MergeInfo | None) -> Object:
    directive = patch.get(_PATCH, _ABSENT)
    if directive == "replace":
        return {name: value for name, value in patch.items() if name != _PATCH}
    if directive == "delete":
        return {}
    if directive is not _ABSENT:
        raise StrategicError(f"unknown patch type: {directive} in map: {_go(patch)}")
    merged = _retained(target, patch)
    for name, value in patch.items():
        if name == _RETAIN or name.startswith(_ORDER):
            continue
        if name.startswith(_DELETE):
            _delete_scalars(merged, name.removeprefix(_DELETE), value)
            continue
        if value is None:
            merged.pop(name, None)
            continue
        result = _merge_value(merged.get(name, _ABSENT), value, _child(info, name))
        if result is _ABSENT:
            merged.pop(name, None)
        else:
            merged[name] = result
    for name, order in patch.items():
        if name.startswith(_ORDER):
            field = name.removeprefix(_ORDER)
            _enforce_order(merged, field, patch.get(field), order, target.get(field), _child(info, field))
    return merged


def _retained(target: Object, patch: Object) -> Object:
    """The target without the fields that `$retainKeys` leaves out."""
    if _RETAIN not in patch:
        return dict(target)
    keep = patch[_RETAIN]
    if not isinstance(keep, list):
        raise StrategicError("invalid patch format of retainKeys")
    for name, value in patch.items():
        if value is not None and not name.startswith("$") and name not in keep:
            raise StrategicError("invalid patch format of retainKeys")
    return {name: value for name, value in target.items() if name in keep}


def _merge_value(old: Any, value: Any, info: MergeInfo | None) -> Any:
    """_ABSENT: the field goes."""
    replaces = info is not None and "replace" in info.patch_strategies
    if isinstance(value, dict) and isinstance(old, dict):
        return {**value} if replaces else _merge_map(old, value, info)
    if isinstance(value, list) and isinstance(old, list) and info is not None and info.merges:
        return _merge_list(old, value, info)
    return _plain(value, nulls=isinstance(old, list) and isinstance(value, list))


def _plain(value: Any, *, nulls: bool = False) -> Any:
    """A patch's value as a value: without nulls and directives. `nulls`: a list that replaces a list as it is."""
    if isinstance(value, dict):
        if _PATCH in value:
            return _ABSENT
        cleaned = {name: _plain(item) for name, item in value.items() if item is not None and not name.startswith("$")}
        return {name: item for name, item in cleaned.items() if item is not _ABSENT}
    if isinstance(value, list):
        if nulls:
            return value
        return [item for item in (_plain(each) for each in value) if item is not _ABSENT]
    return value


def _delete_scalars(merged: Object, name: str, values: Any) -> None:
    if not isinstance(values, list):
        raise StrategicError("invalid patch format of primitive list")
    present = merged.get(name)
    if isinstance(present, list):
        merged[name] = [value for value in present if value not in values]


def _merge_list(old: list[Any], patch: list[Any], info: MergeInfo) -> list[Any]:
    if not info.merge_key and not any(isinstance(item, dict) for item in [*old, *patch]):
        merged = list(dict.fromkeys([*old, *patch]))
        return _ordered(merged, patch, old, lambda item: item)
    key = info.merge_key
    if not key:
        raise StrategicError(f"cannot merge lists without merge key for {info.struct_name or 'list'}")
    for item in [*old, *patch]:
        if not isinstance(item, dict):
            raise StrategicError("expected a map[string]interface {}, but received a scalar")
    base, plain = _special(old, patch, key)
    if plain is None:
        return base
    merged = list(base)
    for item in plain:
        place = _find(merged, key, _key_of(item, key))
        if place is None:
            merged.append(_plain(item))
        else:
            merged[place] = _merge_map(merged[place], item, info.element)
    return _ordered(merged, plain, base, lambda item: _key_of(item, key))


def _special(old: list[Object], patch: list[Object], key: str) -> tuple[list[Object], list[Object] | None]:
    """Acts on elements that carry `$patch`: (what remains of the old list, the patch's other elements). With
    `$patch: replace` the first is the result and the second None."""
    plain: list[Object] = []
    replace = False
    for item in patch:
        directive = item.get(_PATCH, _ABSENT)
        if directive is _ABSENT:
            plain.append(item)
        elif directive == "delete":
            gone = _key_of(item, key)
            old = [each for each in old if each.get(key) != gone]
        elif directive == "replace":
            replace = True
        elif directive == "merge":
            raise StrategicError("merging lists cannot yet be specified in the patch")
        else:
            raise StrategicError(f"unknown patch type: {directive} in map: {_go(item)}")
    return (plain, None) if replace else (old, plain)


def _find(items: list[Object], key: str, value: Any) -> int | None:
    return next((place for place, item in enumerate(items) if item.get(key, _ABSENT) == value), None)


def _key_of(item: Any, key: str) -> Any:
    if not isinstance(item, dict) or key not in item or isinstance(item[key], dict | list):
        raise StrategicError(f"map: {_go(item)} does not contain declared merge key: {key}")
    return item[key]


def _ordered(merged: list[Any], order: list[Any], server: list[Any], identity: Callable[[Any], Any]) -> list[Any]:
    """Elements of `order` in its order; the server's own ones are put in before the first that followed them."""
    wanted = {identity(item): place for place, item in enumerate(order)}
    known = {identity(item): place for place, item in enumerate(server)}
    right = sorted((item for item in merged if identity(item) in wanted), key=lambda item: wanted[identity(item)])
    left = [item for item in merged if identity(item) not in wanted]
    result: list[Any] = []
    while left and right:
        first, second = known.get(identity(left[0])), known.get(identity(right[0]))
        before = first is not None and second is not None and first < second
        result.append(left.pop(0) if before else right.pop(0))
    return result + left + right


def _enforce_order(merged: Object, name: str, patch: Any, order: Any, old: Any, info: MergeInfo | None) -> None:
    present = merged.get(name)
    if not isinstance(order, list):
        raise StrategicError("invalid patch format of setElementOrder list")
    if not isinstance(present, list):
        return
    key = info.merge_key if info else ""
    identity: Callable[[Any], Any] = (lambda item: _key_of(item, key)) if key else _scalar
    if isinstance(patch, list):
        _check_order([item for item in patch if not (isinstance(item, dict) and _PATCH in item)], order, identity)
    merged[name] = _ordered(present, order, old if isinstance(old, list) else [], identity)


def _scalar(item: Any) -> Any:
    if isinstance(item, dict | list):
        raise StrategicError("invalid patch format of setElementOrder list")
    return item


def _check_order(patch: list[Any], order: list[Any], identity: Callable[[Any], Any]) -> None:
    """The patch's elements must stand in the order list, in the same relative order."""
    if not order or not patch:
        return
    places = iter([identity(item) for item in order])
    for item in patch:
        if identity(item) not in places:  # consumes the iterator up to the element
            raise StrategicError(
                f"The order in patch list:\n{_go(patch)}\n doesn't match $setElementOrder list:\n{_go(order)}\n"
            )


def _go(value: Any) -> str:
    """As Go's %v prints maps and slices."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{name}:{_go(value[name])}" for name in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(_go, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return "<nil>" if value is None else str(value)
