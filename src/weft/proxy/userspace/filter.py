"""Who may reach a socket, as a classic BPF program: others get no answer at all, not even a handshake. Pure.

Source: Documentation/networking/filter.rst; SKF_NET_OFF of linux/filter.h (offsets from the IP header).
"""

from collections.abc import Iterable
from struct import Struct

from weft.addresses import Prefix

_STEP = Struct("=HBBI")
_LOAD, _AND, _EQUAL, _RETURN = 0x20, 0x54, 0x15, 0x06
_IP_HEADER = 0xFFF00000
_SOURCE = {4: 12, 6: 8}
_WHOLE, _NOTHING = 0xFFFFFFFF, 0
MAX_PREFIXES = 250
"""A program has at most 4096 steps; an IPv6 prefix takes 13."""


def program(allowed: Iterable[Prefix]) -> bytes:
    """Lets packets from `allowed` through, and no other. ValueError where there are too many of them."""
    steps: list[bytes] = []
    for number, one in enumerate(allowed):
        if number == MAX_PREFIXES:
            raise ValueError(f"more than {MAX_PREFIXES} source ranges")
        steps += _prefix(one)
    return b"".join([*steps, _STEP.pack(_RETURN, 0, 0, _NOTHING)])


def _prefix(one: Prefix) -> list[bytes]:
    address, mask = one.network_address.packed, one.netmask.packed
    words = [at for at in range(0, len(address), 4) if any(mask[at : at + 4])]
    steps = []
    for number, at in enumerate(words):
        behind = 3 * (len(words) - number - 1) + 1
        steps.append(_STEP.pack(_LOAD, 0, 0, _IP_HEADER + _SOURCE[one.version] + at))
        steps.append(_STEP.pack(_AND, 0, 0, int.from_bytes(mask[at : at + 4], "big")))
        steps.append(_STEP.pack(_EQUAL, 0, behind, int.from_bytes(address[at : at + 4], "big")))
    return [*steps, _STEP.pack(_RETURN, 0, 0, _WHOLE)]
