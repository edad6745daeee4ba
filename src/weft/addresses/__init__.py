"""Prefixes, ranges and dual stack: the one shared floor. Pure; stdlib `ipaddress` does the arithmetic."""

from weft.addresses.prefix import (
    Address,
    Family,
    Prefix,
    family,
    is_dual_stack,
    nth_subnet,
    overlapping,
    parse_address,
    parse_prefix,
    parse_prefixes,
)

__all__ = [
    "Address",
    "Family",
    "Prefix",
    "family",
    "is_dual_stack",
    "nth_subnet",
    "overlapping",
    "parse_address",
    "parse_prefix",
    "parse_prefixes",
]
