"""Objects in the form that the API writes them: decoded into the types and encoded again, as Go's JSON would.

Unknown fields go, nulls go, empty optional values go, values that are never left out come in ("resources: {}"),
quantities, times and base64 get their one spelling. Two deviations from upstream: a required list that is absent is
`[]` and not `null`, a required time that is absent stays absent.
"""

import base64
import binascii
from collections.abc import Callable
from functools import cache
from typing import Any

from weft.apiserver.schema.quantity import canonical_quantity
from weft.apiserver.schema.table import Field, struct
from weft.apiserver.schema.times import canonical_micro_time, canonical_time

Reader = Callable[[Any, list[str]], Any]
"""(value, notes) → value; appends to notes where a field is unknown; raises Mismatch or ValueError."""


class Mismatch(Exception):
    """A value of a wrong type: `schema.check` says which one and where."""


def reader(name: str) -> Reader:
    """The reader of a struct; what it calls is bound at its first use, so that types may be recursive."""

    def read(value: Any, notes: list[str]) -> Any:
        return _struct_reader(name)(value, notes)

    return read


@cache
def _struct_reader(name: str) -> Reader:
    entries: dict[str, tuple[Reader, bool]] = {}
    fills: list[tuple[str, Callable[[], Any]]] = []
    _collect(name, entries, fills)

    def read(value: Any, notes: list[str]) -> Any:
        if type(value) is not dict:
            raise Mismatch
        out = {}
        for key, item in value.items():
            entry = entries.get(key)
            if entry is None:
                notes.append(key)
            elif item is not None:
                item = entry[0](item, notes)
                if item or entry[1]:
                    out[key] = item
        for key, make in fills:
            if key not in out:
                out[key] = make()
        return out

    return read


def _collect(name: str, entries: dict[str, tuple[Reader, bool]], fills: list[tuple[str, Callable[[], Any]]]) -> None:
    for field in struct(name).fields:
        if field.inline:
            _collect(field.code, entries, fills)
            continue
        value_struct = field.struct and not field.list and not field.map
        keep = field.pointer or not field.omitempty or value_struct
        entries[field.name] = (field_reader(field), keep)
        make = _filling(field)
        if make:
            fills.append((field.name, make))


def _filling(field: Field) -> Callable[[], Any] | None:
    """What stands in the place of an absent value that Go never leaves out."""
    if field.pointer or field.omitzero:
        return None
    if field.struct and not field.list and not field.map:
        read = reader(field.code)
        return lambda: read({}, [])
    if field.omitempty:
        return None
    if field.list:
        return list
    if field.map:
        return dict
    zero = _ZEROS.get(field.code)
    return None if zero is None else lambda: zero


_ZEROS = {"s": "", "b": False, "i": 0, "l": 0, "d": 0, "x": 0, "q": "0", "D": "0s"}


def field_reader(field: Field) -> Reader:
    element = reader(field.code) if field.struct else _READERS[field.code]
    zero: Callable[[], Any] = (lambda: element({}, [])) if field.struct else (lambda: _ZEROS.get(field.code))
    if field.list:
        return _list_reader(element, zero)
    if field.map:
        return _map_reader(element, zero)
    return element


def _list_reader(element: Reader, zero: Callable[[], Any]) -> Reader:
    def read(value: Any, notes: list[str]) -> Any:
        if type(value) is not list:
            raise Mismatch
        return [element(item, notes) if item is not None else zero() for item in value]

    return read


def _map_reader(element: Reader, zero: Callable[[], Any]) -> Reader:
    def read(value: Any, notes: list[str]) -> Any:
        if type(value) is not dict:
            raise Mismatch
        return {key: element(item, notes) if item is not None else zero() for key, item in value.items()}

    return read


def _string(value: Any, _: list[str]) -> Any:
    if type(value) is not str:
        raise Mismatch
    return value


def _bool(value: Any, _: list[str]) -> Any:
    if type(value) is not bool:
        raise Mismatch
    return value


def _int32(value: Any, _: list[str]) -> Any:
    if type(value) is not int or not -(2**31) <= value < 2**31:
        raise Mismatch
    return value


def _int64(value: Any, _: list[str]) -> Any:
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise Mismatch
    return value


def _float(value: Any, _: list[str]) -> Any:
    if type(value) is not float and type(value) is not int:
        raise Mismatch
    return value


def _bytes(value: Any, _: list[str]) -> Any:
    if type(value) is not str:
        raise Mismatch
    return canonical_base64(value)


def canonical_base64(text: str) -> str:
    """Raises ValueError in the words of Go's encoding/base64."""
    text = text.replace("\n", "").replace("\r", "")
    try:
        return base64.b64encode(base64.b64decode(text, validate=True)).decode()
    except (binascii.Error, ValueError):
        raise ValueError(f"illegal base64 data at input byte {_bad_byte(text)}") from None


def _bad_byte(text: str) -> int:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    for index, letter in enumerate(text):
        if letter not in alphabet and (letter != "=" or index % 4 < 2 or len(text) - index > 2):
            return len(text[:index].encode())
    return len(text)


def _quantity(value: Any, _: list[str]) -> Any:
    if type(value) is str:
        return canonical_quantity(value.strip())
    if type(value) is int or type(value) is float:
        return canonical_quantity(repr(value))
    return canonical_quantity(str(value))


def _int_or_string(value: Any, _: list[str]) -> Any:
    if type(value) is str:
        return value
    return _int32(value, _)


def _time(value: Any, _: list[str]) -> Any:
    if type(value) is not str:
        raise Mismatch
    return canonical_time(value)


def _micro_time(value: Any, _: list[str]) -> Any:
    if type(value) is not str:
        raise Mismatch
    return canonical_micro_time(value)


def _raw(value: Any, _: list[str]) -> Any:
    return value


def _strings(value: Any, notes: list[str]) -> Any:
    if type(value) is not list:
        raise Mismatch
    return [_string(item, notes) for item in value]


_READERS: dict[str, Reader] = {
    "s": _string,
    "b": _bool,
    "i": _int32,
    "l": _int64,
    "d": _float,
    "y": _bytes,
    "q": _quantity,
    "x": _int_or_string,
    "t": _time,
    "u": _micro_time,
    "D": _string,
    "r": _raw,
    "F": _raw,
    "w": _strings,
}
