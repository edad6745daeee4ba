"""Field errors by their sort, as apimachinery's `field` package makes them."""

from collections.abc import Iterable
from typing import Any

from weft.apiserver.registry.kind import FieldError

Errors = list[FieldError]
IMMUTABLE = "field is immutable"


def required(field: str, detail: str = "") -> FieldError:
    return FieldError("FieldValueRequired", field, detail)


def invalid(field: str, value: Any, detail: str) -> FieldError:
    return FieldError("FieldValueInvalid", field, detail, value)


def forbidden(field: str, detail: str) -> FieldError:
    return FieldError("FieldValueForbidden", field, detail)


def duplicate(field: str, value: Any) -> FieldError:
    return FieldError("FieldValueDuplicate", field, "", value)


def not_found(field: str, value: Any) -> FieldError:
    return FieldError("FieldValueNotFound", field, "", value)


def not_supported(field: str, value: Any, allowed: Iterable[str]) -> FieldError:
    """`allowed` in the order in which the message lists it."""
    shown = ", ".join(f'"{name}"' for name in allowed)
    return FieldError("FieldValueNotSupported", field, f"supported values: {shown}" if shown else "", value)


def too_long(field: str, limit: int, unit: str = "bytes") -> FieldError:
    return FieldError("FieldValueTooLong", field, f"may not be more than {limit} {unit}")


def too_many(field: str, actual: int, limit: int) -> FieldError:
    return FieldError("FieldValueTooMany", field, f"must have at most {limit} items", actual)


def each(field: str, value: Any, messages: Iterable[str]) -> Errors:
    """One Invalid per message."""
    return [invalid(field, value, message) for message in messages]


def immutable(field: str, new: Any, old: Any) -> Errors:
    return [] if new == old else [invalid(field, new, IMMUTABLE)]


def one_of(field: str, value: Any, allowed: Iterable[str]) -> Errors:
    """Required where empty, NotSupported where foreign."""
    allowed = list(allowed)
    if not value:
        return [required(field)]
    return [] if value in allowed else [not_supported(field, value, allowed)]
