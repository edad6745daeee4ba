"""The types of the API, as `tools/schema_table.py` found them: names, protobuf numbers, types and list markers.

`table.json` is read at the first use (about 2 ms) and each struct is unpacked when it is first asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

SCALARS: Mapping[str, str] = {
    "s": "string",
    "b": "bool",
    "i": "int32",
    "l": "int64",
    "d": "float64",
    "y": "[]uint8",
    "q": "resource.Quantity",
    "x": "intstr.IntOrString",
    "t": "v1.Time",
    "u": "v1.MicroTime",
    "D": "v1.Duration",
    "r": "runtime.RawExtension",
    "F": "v1.FieldsV1",
    "w": "[]string",
}
"""Type codes of one letter and the Go types that error texts name."""


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    """In JSON; empty where the struct is inline."""
    number: int
    code: str
    """A letter of `SCALARS`, or the name of a struct."""
    list: bool = False
    map: bool = False
    pointer: bool = False
    omitempty: bool = False
    omitzero: bool = False
    inline: bool = False
    required: bool = False
    patch_strategy: str = ""
    merge_key: str = ""
    list_type: str = ""
    """atomic, set, map, granular or empty"""
    list_keys: tuple[str, ...] = ()
    go_name: str = ""
    values: tuple[str, ...] = ()
    """Of an enumeration, sorted; empty for all other types."""

    @property
    def struct(self) -> bool:
        return "." in self.code

    @property
    def go_type(self) -> str:
        """As Go's encoding/json names the type in its errors."""
        if self.go_name:
            return self.go_name
        return f"{'[]' if self.list else 'map[string]' if self.map else ''}{self.go_element}"

    @property
    def go_element(self) -> str:
        if self.go_name.startswith("[]"):
            return self.go_name[2:]
        if self.struct:
            return go_struct(self.code)
        return SCALARS[self.code] if self.list or self.map or not self.go_name else self.go_name


@dataclass(frozen=True, slots=True)
class Struct:
    name: str
    """`core/v1.PodSpec`"""
    fields: tuple[Field, ...]

    @property
    def short(self) -> str:
        return self.name.rpartition(".")[2]


def go_struct(name: str) -> str:
    """`core/v1.PodSpec` → `v1.PodSpec`."""
    return name.partition("/")[2]


@cache
def _table() -> Any:
    return msgspec.json.decode(files(__package__).joinpath("table.json").read_bytes())


@cache
def struct(name: str) -> Struct:
    """Raises KeyError."""
    return Struct(name, tuple(_field(packed) for packed in _table()["structs"][name]))


def struct_of(group: str, version: str, kind: str) -> Struct | None:
    """The struct behind a kind, None for kinds that the table lacks."""
    names = _table()["kinds"]
    name = names.get(f"{group}/{version}/{kind}" if group else f"{version}/{kind}")
    name = name or names.get(f"meta.k8s.io/v1/{kind}")  # DeleteOptions and its like are in every group
    return struct(name) if name else None


def is_atomic(name: str) -> bool:
    """Server-side apply takes the struct as a whole."""
    return name in _table()["atomic"]


def kinds() -> list[str]:
    """Every kind of the table: "v1/Pod", "apps/v1/Deployment"."""
    return list(_table()["kinds"])


def _field(packed: list[Any]) -> Field:
    name, number, code, flags, *rest = packed
    extras = rest[0] if rest else {}
    is_map = code.startswith("{}")
    code = code.removeprefix("{}")
    is_list = code.startswith("[]")
    return Field(
        name,
        number,
        code.removeprefix("[]"),
        list=is_list,
        map=is_map,
        pointer="*" in flags,
        omitempty="o" in flags,
        omitzero="z" in flags,
        inline="i" in flags,
        required="r" in flags,
        patch_strategy=extras.get("ps", ""),
        merge_key=extras.get("mk", ""),
        list_type=extras.get("lt", extras.get("st", "")),
        list_keys=tuple(extras.get("lk", ())),
        go_name=extras.get("go", ""),
        values=tuple(extras.get("en", ())),
    )
