"""System controls of a network namespace: files under /proc/sys/net. Source: Documentation/networking/ip-sysctl.rst."""

import re
from dataclasses import dataclass

_PART = re.compile(r"[A-Za-z0-9_@.-]+\Z")


@dataclass(frozen=True, slots=True)
class Sysctl:
    """`name` is the path below /proc/sys, with slashes, since a link's name may hold a dot: net/ipv4/ip_forward."""

    name: str
    value: str

    def __str__(self) -> str:
        return f"sysctl {self.name}"

    def validate(self) -> None:
        """Raises ValueError that names the field."""
        parts = self.name.split("/")
        if parts[0] != "net" or not all(_PART.match(part) and part not in (".", "..") for part in parts):
            raise ValueError(f"sysctl: {self.name!r} is not a path below net/ such as net/ipv4/ip_forward")
