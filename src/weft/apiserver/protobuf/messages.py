"""Messages of the API's types → the values that their JSON has, before anything is left out of it."""

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from struct import unpack
from typing import Any

import msgspec

from weft.apiserver.protobuf.wire import BYTES, VARINT, fields, signed, varints
from weft.apiserver.schema.table import Field, struct
from weft.apiserver.schema.times import write_micro_time, write_time

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def message(name: str, data: bytes) -> dict[str, Any]:
    """A struct. Unknown field numbers are skipped. Raises ValueError."""
    known = _fields(name)
    out: dict[str, Any] = {}
    for number, wire, value in fields(data):
        field = known.get(number)
        if field is None:
            continue
        if field.inline:
            out.update(message(field.code, _bytes(value)))
        elif field.map:
            key, item = _entry(field, _bytes(value))
            out.setdefault(field.name, {})[key] = item
        elif field.list:
            packed = wire == BYTES and field.code in _NUMBERS
            items = [_value(field, part) for part in varints(_bytes(value))] if packed else [_value(field, value)]
            out.setdefault(field.name, []).extend(items)
        else:
            out[field.name] = _value(field, value)
    return out


@cache
def _fields(name: str) -> Mapping[int, Field]:
    return {field.number: field for field in struct(name).fields}


def _entry(field: Field, data: bytes) -> tuple[str, Any]:
    key = ""
    item: Any = message(field.code, b"") if field.struct else _ZEROS[field.code]
    for number, _, value in fields(data):
        if number == 1:
            key = _bytes(value).decode()
        elif number == 2:
            item = _value(field, value)
    return key, item


def _value(field: Field, value: int | bytes) -> Any:
    if field.struct:
        return message(field.code, _bytes(value))
    return _DECODERS[field.code](value)


def _bytes(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError(f"proto: wrong wireType = {VARINT}")
    return value


def _number(value: int | bytes) -> int:
    if isinstance(value, bytes):
        raise ValueError(f"proto: wrong wireType = {BYTES}")
    return value


def _parts(value: int | bytes) -> dict[int, int | bytes]:
    return {number: part for number, _, part in fields(_bytes(value))}


def _quantity(value: int | bytes) -> str:
    return _bytes(_parts(value).get(1, b"")).decode() or "0"


def _int_or_string(value: int | bytes) -> int | str:
    parts = _parts(value)
    if _number(parts.get(1, 0)) == 1:
        return _bytes(parts.get(3, b"")).decode()
    return signed(_number(parts.get(2, 0)), 32)


def _moment(value: int | bytes) -> datetime | None:
    if value == b"":
        return None
    parts = _parts(value)
    seconds, nanos = signed(_number(parts.get(1, 0))), signed(_number(parts.get(2, 0)), 32)
    try:
        return _EPOCH + timedelta(seconds=seconds, microseconds=nanos // 1000)
    except OverflowError as error:
        raise ValueError("proto: time out of range") from error


def _time(value: int | bytes) -> str | None:
    moment = _moment(value)
    return write_time(moment) if moment else None


def _micro_time(value: int | bytes) -> str | None:
    moment = _moment(value)
    return write_micro_time(moment) if moment else None


def _duration(value: int | bytes) -> str:
    """As Go's Duration.String in seconds and their fractions, which ParseDuration reads back."""
    nanos = signed(_number(_parts(value).get(1, 0)))
    return f"{nanos // 10**9}s" if nanos % 10**9 == 0 else f"{nanos}ns"


def _raw(value: int | bytes) -> Any:
    data = _bytes(_parts(value).get(1, b""))
    return msgspec.json.decode(data) if data else None


def _strings(value: int | bytes) -> list[str]:
    return [_bytes(item).decode() for number, _, item in fields(_bytes(value)) if number == 1]


def _double(value: int | bytes) -> float:
    number: float = unpack("<d", _number(value).to_bytes(8, "little"))[0]
    return number


_NUMBERS = "bil"
_ZEROS: Mapping[str, Any] = {"s": "", "y": "", "q": "0", "w": [], "t": None, "i": 0, "l": 0, "b": False}
_DECODERS: Mapping[str, Callable[[int | bytes], Any]] = {
    "s": lambda value: _bytes(value).decode(),
    "b": lambda value: bool(_number(value)),
    "i": lambda value: signed(_number(value), 32),
    "l": lambda value: signed(_number(value)),
    "d": _double,
    "y": lambda value: base64.b64encode(_bytes(value)).decode(),
    "q": _quantity,
    "x": _int_or_string,
    "t": _time,
    "u": _micro_time,
    "D": _duration,
    "r": _raw,
    "F": _raw,
    "w": _strings,
}
