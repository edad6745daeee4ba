"""What counts and quantities may be."""

import re
from typing import Any

from weft.apiserver.kinds.rules.errors import Errors, invalid
from weft.apiserver.schema.quantity import parse_quantity

NEGATIVE = "must be greater than or equal to 0"
_PERCENT = re.compile("[0-9]+%")
_PERCENT_TEXT = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for "
    "validation is '[0-9]+%')"
)


def not_negative(field: str, value: int | None) -> Errors:
    return [invalid(field, value, NEGATIVE)] if value is not None and value < 0 else []


def counts(field: str, obj: dict[str, Any], names: tuple[str, ...]) -> Errors:
    """Fields of `obj` that may not be negative."""
    return [error for name in names for error in not_negative(f"{field}.{name}", obj.get(name))]


def not_negative_quantity(field: str, text: str) -> Errors:
    return [invalid(field, text, NEGATIVE)] if parse_quantity(text) < 0 else []


def number_or_percent(field: str, value: int | str) -> Errors:
    if isinstance(value, int):
        return not_negative(field, value)
    return [] if _PERCENT.fullmatch(value) else [invalid(field, value, _PERCENT_TEXT)]


def at_most_whole(field: str, value: int | str) -> Errors:
    if isinstance(value, str) and _PERCENT.fullmatch(value) and int(value[:-1]) > 100:
        return [invalid(field, value, "must not be greater than 100%")]
    return []


def is_zero(value: int | str) -> bool:
    """Of a number or percentage; what is neither counts as zero, as upstream has it."""
    if isinstance(value, int):
        return value == 0
    return not _PERCENT.fullmatch(value) or int(value[:-1]) == 0
