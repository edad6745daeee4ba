"""What kube-apiserver says of an object that does not fit its type ("Server-side field validation", KEP-2885)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from weft.apiserver.schema.canonical import Mismatch, field_reader, reader
from weft.apiserver.schema.table import Field, Struct, go_struct, struct, struct_of

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SchemaReport:
    object: Object
    """The object in canonical form: what is stored. Of no use where there are errors."""
    errors: list[str] = field(default_factory=list)
    """What makes the request bad whatever fieldValidation says (one at most, as upstream stops at the first)."""
    unknown: list[str] = field(default_factory=list)
    """Paths of unknown fields: `spec.containers[0].foo`."""
    duplicates: list[str] = field(default_factory=list)
    """Paths of fields that were given twice; only where the body was looked at (`duplicates`)."""

    def strict(self) -> list[str]:
        """What Strict refuses and Warn warns of: `unknown field "spec.foo"`."""
        repeated = [f'duplicate field "{path}"' for path in self.duplicates]
        return repeated + [f'unknown field "{path}"' for path in self.unknown]

    def strict_error(self) -> str:
        """`strict decoding error: unknown field "spec.foo", …`, "" where nothing is strange."""
        found = self.strict()
        return f"strict decoding error: {', '.join(found)}" if found else ""


def check(group: str, version: str, kind: str, obj: Object, repeated: tuple[str, ...] = ()) -> SchemaReport:
    """Fit an object to its type; kinds that the table lacks pass as they are.

    `repeated`: the paths that `duplicates` found in the body.
    """
    type_ = struct_of(group, version, kind)
    if type_ is None:
        return SchemaReport(obj, duplicates=list(repeated))
    head = {key: obj[key] for key in ("apiVersion", "kind") if key in obj}
    rest = {key: value for key, value in obj.items() if key not in head} if head else obj
    notes: list[str] = []
    try:
        canonical = {**head, **reader(type_.name)(rest, notes)}
    except (Mismatch, ValueError):
        return SchemaReport(obj, errors=[_first_error(type_, rest)], duplicates=list(repeated))
    unknown = list(_unknown(type_, rest, "")) if notes else []
    return SchemaReport(canonical, unknown=unknown, duplicates=list(repeated))


def _first_error(type_: Struct, obj: Object) -> str:
    for text in _errors(type_, obj, ""):
        return text
    return "json: cannot unmarshal value"


def _flat(type_: Struct, prefix: str = "") -> Iterator[tuple[str, Field]]:
    """(path within Go's value, field): inline structs add their name to the path."""
    for entry in type_.fields:
        if entry.inline:
            inner = struct(entry.code)
            yield from _flat(inner, f"{prefix}{inner.short}.")
        else:
            yield prefix, entry


def _errors(type_: Struct, obj: Object, path: str) -> Iterator[str]:
    fields = {entry.name: (prefix, entry) for prefix, entry in _flat(type_)}
    for key, value in obj.items():
        if key in fields and value is not None:
            prefix, entry = fields[key]
            yield from _value_errors(type_, entry, value, f"{path}{prefix}{key}")


def _value_errors(type_: Struct, entry: Field, value: Any, path: str) -> Iterator[str]:
    where = f"Go struct field {type_.short}.{path}"
    if entry.list or entry.map:
        if not isinstance(value, list if entry.list else dict):
            yield _cannot(value, where, entry.go_type)
            return
        items = value if isinstance(value, list) else value.values()
        for item in items:
            if item is not None:
                yield from _element_errors(entry, item, where, path)
    else:
        yield from _element_errors(entry, value, where, path)


def _element_errors(entry: Field, value: Any, where: str, path: str) -> Iterator[str]:
    if entry.struct:
        if isinstance(value, dict):
            yield from _errors(struct(entry.code), value, f"{path}.")
        else:
            yield _cannot(value, where, go_struct(entry.code))
        return
    try:
        field_reader(Field("", 0, entry.code))(value, [])
    except Mismatch:
        yield _scalar(entry, value, where)
    except ValueError as error:
        yield str(error)


_GO_TYPES = {"x": "int32", "t": "string", "u": "string", "D": "string"}


def _scalar(entry: Field, value: Any, where: str) -> str:
    go_type = _GO_TYPES.get(entry.code) or entry.go_element
    literal = isinstance(value, int | float) and not isinstance(value, bool) and entry.code in "ilx"
    return _cannot(value, where, go_type, literal=literal)


def _cannot(value: Any, where: str, go_type: str, *, literal: bool = False) -> str:
    name = "bool" if isinstance(value, bool) else _JSON_NAMES.get(type(value), "number")
    shown = f"number {value!r}" if literal else name
    return f"json: cannot unmarshal {shown} into {where} of type {go_type}"


_JSON_NAMES: dict[type, str] = {str: "string", dict: "object", list: "array"}


def _unknown(type_: Struct, obj: Object, path: str) -> Iterator[str]:
    fields = {entry.name: entry for _, entry in _flat(type_)}
    for key, value in obj.items():
        entry = fields.get(key)
        if entry is None:
            yield f"{path}{key}"
        elif entry.struct and value:
            inner = struct(entry.code)
            if entry.list:
                for index, item in enumerate(value):
                    yield from _unknown(inner, item or {}, f"{path}{key}[{index}].")
            elif entry.map:
                for name, item in value.items():
                    yield from _unknown(inner, item or {}, f"{path}{key}.{name}.")
            else:
                yield from _unknown(inner, value, f"{path}{key}.")
