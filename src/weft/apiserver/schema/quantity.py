"""Quantities: fixed-point numbers with a suffix (apimachinery `resource.Quantity`, "Resource units in Kubernetes")."""

import re
from decimal import ROUND_UP, Decimal, InvalidOperation
from functools import lru_cache

_SHAPE = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?([eE][+-]?\d+|[A-Za-z]*)", re.ASCII)
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_DECIMAL_SUFFIX = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_BINARY_SUFFIX = {0: "", **{exponent: suffix for suffix, exponent in _BINARY.items()}}
_LARGEST = Decimal(2**63 - 1)
_NANO = Decimal("0.000000001")
BAD_SHAPE = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
BAD_SUFFIX = "unable to parse quantity's suffix"
BAD_NUMBER = "unable to parse numeric part of quantity"
_REGULAR = re.compile(r"([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)", re.ASCII)


def parse_quantity(text: str) -> Decimal:
    """The exact value: "1.5Gi" → 1610612736, "100m" → 0.1. Finer than nano is rounded away from zero.

    Raises ValueError in apimachinery's words.
    """
    return _parse(text)[0]


@lru_cache(maxsize=4096)
def canonical_quantity(text: str) -> str:
    """As the API writes it back: "0.5" → "500m", "1024Ki" → "1Mi", "1500m" → "1500m". Raises ValueError."""
    value, form = _parse(text)
    if form == "binary" and (abs(value) < 1024 or value != value.to_integral_value()):
        form = "decimal"
    if form == "binary":
        return _binary(int(value))
    return _decimal(value, exponent_form=form == "exponent")


@lru_cache(maxsize=4096)
def _parse(text: str) -> tuple[Decimal, str]:
    found = _SHAPE.fullmatch(text)
    if not found or not (found[2] or found[3]):
        raise ValueError(BAD_NUMBER if found and text.strip("+-.") == "" and text else BAD_SHAPE)
    sign, whole, fraction, suffix = found[1], found[2], found[3] or "", found[4]
    try:
        number = Decimal(f"{sign}{whole or '0'}.{fraction or '0'}")
        if suffix in _BINARY:
            value, form = number * (1 << _BINARY[suffix]), "binary"
        elif suffix in _DECIMAL:
            value, form = number.scaleb(_DECIMAL[suffix]), "decimal"
        elif suffix[0] in "eE" and len(suffix) > 1 and abs(int(suffix[1:])) < 2**31:
            value, form = number.scaleb(max(-64, min(64, int(suffix[1:])))), "exponent"
        else:
            raise ValueError(BAD_SUFFIX if _REGULAR.fullmatch(text) else BAD_SHAPE)
    except (InvalidOperation, OverflowError) as error:
        raise ValueError(BAD_NUMBER) from error
    return _bounded(value), form


def _bounded(value: Decimal) -> Decimal:
    if abs(value) > _LARGEST:
        return _LARGEST.copy_sign(value)
    if value != value.to_integral_value():
        return value.quantize(_NANO, ROUND_UP)
    return value


def _decimal(value: Decimal, *, exponent_form: bool) -> str:
    if not value:
        return "0"
    scaled = int(value.scaleb(9))
    exponent = -9
    while scaled % 1000 == 0 and exponent < 18:
        scaled //= 1000
        exponent += 3
    if not exponent_form:
        return f"{scaled}{_DECIMAL_SUFFIX[exponent]}"
    return f"{scaled}e{exponent}" if exponent else str(scaled)


def _binary(value: int) -> str:
    exponent = 0
    while value % 1024 == 0 and exponent < 60:
        value //= 1024
        exponent += 10
    return f"{value}{_BINARY_SUFFIX[exponent]}"
