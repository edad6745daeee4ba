"""Resource quantities such as 100m, 1.5, 128Mi and 1e3 (apimachinery "resource.Quantity"), as exact integers."""

import re
from fractions import Fraction
from functools import lru_cache

_FORM = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d+))?")
_SCALE: dict[str, int | Fraction] = {
    "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000),
    "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18,
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60,
}  # fmt: skip


@lru_cache(4096)
def parse_quantity(text: str | int | float) -> Fraction:
    """The exact value. ValueError where `text` is no quantity."""
    match = _FORM.fullmatch(str(text))
    if match is None:
        raise ValueError(f"quantity {text!r} is not a number with a suffix (give one such as 100m or 128Mi)")
    number, suffix, exponent = match.groups()
    if exponent is not None and abs(int(exponent)) > 30:
        raise ValueError(f"quantity {text!r} is out of range")
    if exponent is not None:
        return Fraction(f"{number}e{exponent}")
    return Fraction(number) * _SCALE.get(suffix or "", 1)


def whole(text: str | int | float) -> int:
    """The value rounded up to a whole number (bytes, pods)."""
    value = parse_quantity(text)
    return -(-value.numerator // value.denominator)


def milli(text: str | int | float) -> int:
    """Thousandths, rounded up (CPU)."""
    value = parse_quantity(text) * 1000
    return -(-value.numerator // value.denominator)
