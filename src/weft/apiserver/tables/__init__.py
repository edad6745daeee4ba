"""Objects as metav1.Table, which `kubectl get` prints (API concepts, "Receiving resources as Tables")."""

from collections.abc import Iterable
from typing import Any

from weft.apiserver.registry.kind import Column, Kind, Object

_DEFAULT = (Column("Name", format="name"), Column("Created At", "date"))

__all__ = ["table"]


def table(kind: Kind, objects: Iterable[Object], resource_version: str, include_object: str, now: float) -> Object:
    """`include_object`: Metadata (or empty), Object or None, as the query parameter includeObject."""
    found: dict[str, Any] = {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": resource_version},
        "columnDefinitions": [_definition(column) for column in kind.columns or _DEFAULT],
        "rows": [_row(kind, obj, include_object, now) for obj in objects],
    }
    return found


def _definition(column: Column) -> Object:
    return {
        "name": column.name,
        "type": column.type,
        "format": column.format,
        "description": column.description,
        "priority": column.priority,
    }


def _row(kind: Kind, obj: Object, include_object: str, now: float) -> Object:
    row: Object = {"cells": kind.row(obj, now) if kind.row else _default_cells(obj)}
    if include_object == "Object":
        row["object"] = obj
    elif include_object != "None":
        row["object"] = {
            "kind": "PartialObjectMetadata",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": obj.get("metadata", {}),
        }
    return row


def _default_cells(obj: Object) -> list[Any]:
    meta = obj.get("metadata", {})
    return [meta.get("name", ""), meta.get("creationTimestamp")]
