"""Mode `auto`: the best that works here. Pure."""

from collections.abc import Callable, Mapping

ORDER = ("ebpf", "nftables", "iptables")
"""Best first."""
Probe = Callable[[], str]
"""Tries a mode: why it cannot be here, or "" where it can."""


def choose(probes: Mapping[str, Probe]) -> tuple[str, str]:
    """A mode, and why no better one. ValueError where none can be."""
    reasons: list[str] = []
    for name in ORDER:
        if name not in probes:
            continue
        reason = probes[name]()
        if not reason:
            return name, "; ".join(reasons) or "the best there is"
        reasons.append(f"not {name}: {reason}")
    raise ValueError(f"--proxy-mode: no mode can be here ({'; '.join(reasons)})")
