"""A kind is a short declaration: everything that the registry must know of it to serve every verb.

All functions are pure. Objects are plain dicts as they came in JSON.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from weft.cluster.objects.resource import Resource

Object = dict[str, Any]
ErrorType = Literal[
    "FieldValueRequired", "FieldValueInvalid", "FieldValueNotSupported", "FieldValueForbidden",
    "FieldValueDuplicate", "FieldValueTooLong", "FieldValueTooMany", "FieldValueNotFound", "InternalError",
]  # fmt: skip
"""`reason` of a StatusCause, as apimachinery's `field.ErrorType`."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with one field; `text()` is worded as apimachinery's field.Error."""

    type: ErrorType
    field: str
    """`spec.ports[0].port`"""
    detail: str
    value: Any = None

    def text(self) -> str:
        prefix = {
            "FieldValueRequired": "Required value",
            "FieldValueInvalid": "Invalid value",
            "FieldValueNotSupported": "Unsupported value",
            "FieldValueForbidden": "Forbidden",
            "FieldValueDuplicate": "Duplicate value",
            "FieldValueTooLong": "Too long",
            "FieldValueTooMany": "Too many",
            "FieldValueNotFound": "Not found",
            "InternalError": "Internal error",
        }[self.type]
        if self.type not in ("FieldValueRequired", "FieldValueForbidden", "FieldValueTooLong", "InternalError"):
            prefix = f"{prefix}: {quoted(self.value)}"
        return f"{prefix}: {self.detail}" if self.detail else prefix


def quoted(value: Any) -> str:
    """As field.Error prints values: strings as Go's %q, all others as their JSON."""
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t") + '"'
    return json.dumps(value, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get` (metav1.TableColumnDefinition)."""

    name: str
    type: str = "string"
    """string, integer, number, boolean or date"""
    format: str = ""
    priority: int = 0
    """0 is always shown, 1 only with -o wide"""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Subresource:
    """A subresource that discovery lists; its kind may be of another group (`autoscaling/v1 Scale`)."""

    name: str
    kind: str
    verbs: tuple[str, ...]
    group: str = ""
    version: str = ""
    """Group and version of its kind; empty where they are the resource's own."""


def _same(obj: Object) -> Object:
    return obj


def _nothing(*_: Any) -> None:
    return None


def _no_errors(*_: Any) -> list[FieldError]:
    return []


@dataclass(frozen=True)
class Kind:
    resource: Resource
    singular: str
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: frozenset[str] = frozenset(
        {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}
    )
    status: bool = False
    """Has a status subresource: main writes keep the old status, status writes keep everything else."""
    status_on_create: bool = False
    """Clients may set the status on create (nodes register with it)."""
    generation: bool = False
    """metadata.generation counts the changes of spec (1 at creation)."""
    scale: bool = False
    """Has a scale subresource (autoscaling/v1 Scale) over spec.replicas."""
    graceful: bool = False
    """Deletion waits for the kubelet (pods): grace period, then a second delete with grace 0."""
    default: Callable[[Object], None] = _nothing
    """Fills in unset fields in place. Idempotent; runs on every create, update and patch."""
    prepare_create: Callable[[Object], None] = _nothing
    """In place, before validation: what a client may not set is cleared (status is cleared for you)."""
    prepare_update: Callable[[Object, Object], None] = _nothing
    """(new, old) in place: what a client may not change is carried over."""
    validate_create: Callable[[Object], list[FieldError]] = _no_errors
    validate_update: Callable[[Object, Object], list[FieldError]] = _no_errors
    """(new, old)"""
    validate_status: Callable[[Object, Object], list[FieldError]] = _no_errors
    """(new, old) for writes to the status subresource."""
    validate_name: Callable[[str], list[str]] | None = None
    """Messages about metadata.name; None stands for a DNS-1123 subdomain."""
    selectable: Mapping[str, Callable[[Object], str]] = field(default_factory=dict)
    """Field selectors beyond metadata.name and metadata.namespace."""
    columns: tuple[Column, ...] = ()
    """Beyond none: Name and Age are the default."""
    row: Callable[[Object, float], list[Any]] | None = None
    """(object, now as Unix seconds) → the cells, one per column."""
    subresources: tuple[Subresource, ...] = ()
    """Beyond status and scale (pods/log, serviceaccounts/token …)."""
    stored_as: Resource | None = None
    """Whose objects these are when two kinds share one storage (both Events are one); None: its own."""
    to_stored: Callable[[Object], Object] = _same
    from_stored: Callable[[Object], Object] = _same
    """Between this kind's form and the stored one; they copy, and change apiVersion too."""
