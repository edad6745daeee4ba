"""Fields that a JSON body gives twice: JSON decoders keep the last silently, kube-apiserver tells."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec


class _Object(dict[str, Any]):
    """A JSON object that remembers which of its keys came more than once."""

    repeated: tuple[str, ...] = ()


def duplicates(body: bytes, obj: Any) -> list[str]:
    """Paths (`spec.containers[0].image`) of the fields that `body`, which decodes to `obj`, holds more than once.

    Costs one encoding where there are none: a repeated key leaves fewer quotes in the object than in the body.
    """
    if b"\\u0022" not in body and body.count(b'"') == msgspec.json.encode(obj).count(b'"'):
        return []
    try:
        return list(_walk(json.loads(body, object_pairs_hook=_pairs), ""))
    except (ValueError, RecursionError):
        return []


def _pairs(pairs: list[tuple[str, Any]]) -> _Object:
    obj = _Object(pairs)
    if len(obj) != len(pairs):
        keys = [key for key, _ in pairs]
        obj.repeated = tuple(dict.fromkeys(key for index, key in enumerate(keys) if key in keys[:index]))
    return obj


def _walk(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, _Object):
        dot = f"{path}." if path else ""
        for key in value.repeated:
            yield f"{dot}{key}"
        for key, item in value.items():
            yield from _walk(item, f"{dot}{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, f"{path}[{index}]")
