"""How lists, maps and structs of a type merge: what strategic merge patch and server-side apply must know."""

from dataclasses import dataclass
from functools import cache
from typing import Literal

from weft.apiserver.schema.table import Field, Struct, is_atomic, struct, struct_of

Form = Literal["struct", "list", "map", "scalar", "raw"]


@dataclass(frozen=True, slots=True)
class MergeInfo:
    """One place in a type. Lists and maps have an `element`, structs have children."""

    form: Form
    struct_name: str = ""
    patch_strategies: tuple[str, ...] = ()
    """merge, replace, retainKeys (`x-kubernetes-patch-strategy`)"""
    merge_key: str = ""
    """Of a list of structs with strategy merge; empty for a list of scalars that merges as a set."""
    list_type: str = ""
    """atomic, set or map, also of maps and structs (granular, atomic); empty: the default of its form"""
    list_keys: tuple[str, ...] = ()
    element: "MergeInfo | None" = None

    @property
    def merges(self) -> bool:
        return "merge" in self.patch_strategies

    def child(self, name: str) -> "MergeInfo | None":
        """The field of a struct, the value of a map; None for an unknown field and below scalars."""
        if self.form == "map":
            return self.element
        return _children(self.struct_name).get(name) if self.form == "struct" else None


@cache
def merge_info(group: str, version: str, kind: str) -> MergeInfo | None:
    """The root of a kind, None where the table lacks it."""
    type_ = struct_of(group, version, kind)
    return MergeInfo("struct", type_.name) if type_ else None


@cache
def _children(name: str) -> dict[str, MergeInfo]:
    found: dict[str, MergeInfo] = {}
    _collect(struct(name), found)
    return found


def _collect(type_: Struct, found: dict[str, MergeInfo]) -> None:
    for field in type_.fields:
        if field.inline:
            _collect(struct(field.code), found)
        else:
            found[field.name] = _of_field(field)


def _of_field(field: Field) -> MergeInfo:
    strategies = tuple(field.patch_strategy.split(",")) if field.patch_strategy else ()
    element = _element(field)
    if field.list:
        return MergeInfo("list", "", strategies, field.merge_key, field.list_type, field.list_keys, element)
    if field.map:
        return MergeInfo("map", "", strategies, "", field.list_type, (), element)
    return MergeInfo(element.form, element.struct_name, strategies, "", field.list_type or element.list_type)


def _element(field: Field) -> MergeInfo:
    if field.struct:
        return MergeInfo("struct", field.code, list_type="atomic" if is_atomic(field.code) else "")
    return MergeInfo("raw" if field.code in "rF" else "scalar")
