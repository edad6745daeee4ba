"""What a Corefile says, and reading the arguments of its directives."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from weft.dns.message import names


class CorefileError(ValueError):
    """`FILE:LINE: DIRECTIVE: what is wrong (what to do)`."""


@dataclass(frozen=True, slots=True)
class Directive:
    """A plugin of a server block, or a property inside a plugin's braces."""

    name: str
    args: tuple[str, ...]
    block: tuple["Directive", ...]
    file: str
    line: int

    def error(self, problem: str, remedy: str) -> CorefileError:
        return CorefileError(f"{self.file}:{self.line}: {self.name}: {problem} ({remedy})")

    def one(self, what: str) -> str:
        """The only argument."""
        if len(self.args) != 1:
            raise self.error(f"wants one argument, has {len(self.args)}", f"write `{self.name} {what}`")
        return self.args[0]

    def some(self, what: str) -> tuple[str, ...]:
        if not self.args:
            raise self.error("has no argument", f"write `{self.name} {what}`")
        return self.args

    def none(self) -> None:
        if self.args:
            raise self.error(f"unexpected argument {self.args[0]!r}", f"write `{self.name}` alone")

    def no_block(self) -> None:
        if self.block:
            raise self.block[0].error(f"{self.name} has no properties", "remove the braces")

    def unknown(self, known: Sequence[str]) -> CorefileError:
        """For a property that its plugin does not know."""
        return self.error("unknown property", f"use {', '.join(known)}" if known else "remove it")

    def choice(self, options: Sequence[str]) -> str:
        value = self.one("|".join(options))
        if value not in options:
            raise self.error(f"{value!r} is not possible", f"use one of {', '.join(options)}")
        return value

    def integer(self, text: str, low: int, high: int) -> int:
        if not re.fullmatch(r"-?\d{1,18}", text) or not low <= int(text) <= high:
            raise self.error(f"{text!r} is not a number from {low} to {high}", "correct the number")
        return int(text)

    def duration(self, text: str) -> float:
        """Seconds of a Go duration such as 5s, 300ms or 1m30s; a bare number counts seconds."""
        seconds = parse_duration(text)
        if seconds is None:
            raise self.error(f"{text!r} is not a duration", "write one such as 5s, 300ms or 1m30s")
        return seconds

    def zones(self, args: Sequence[str]) -> tuple[bytes, ...]:
        """Wire names, in lower case; a range such as 10.0.0.0/24 stands for its reverse zones."""
        from weft.dns.corefile.zones import zone_names

        found: list[bytes] = []
        for text in args:
            try:
                found += zone_names(text)
            except ValueError as error:
                raise self.error(str(error), "write a domain such as cluster.local or a range") from None
        return tuple(found)

    def listen_address(self, text: str) -> tuple[str, int]:
        """`[HOST]:PORT` for an HTTP endpoint; no host means all addresses."""
        host, colon, port = text.rpartition(":")
        if not colon or not port.isdigit() or not 0 <= int(port) <= 65535:
            raise self.error(f"{text!r} is not an address with a port", "write one such as :8080 or 127.0.0.1:8080")
        return host.strip("[]"), int(port)

    def ip(self, text: str) -> str:
        try:
            return str(ip_address(text))
        except ValueError:
            raise self.error(f"{text!r} is not an IP address", "write one such as 10.0.0.1 or fd00::1") from None


@dataclass(frozen=True, slots=True)
class ServerBlock:
    zones: tuple[tuple[bytes, int], ...]
    """Wire names of the zones with their ports."""
    directives: tuple[Directive, ...]
    file: str
    line: int

    @property
    def names(self) -> tuple[bytes, ...]:
        return tuple(zone for zone, _ in self.zones)

    @property
    def text(self) -> str:
        return " ".join(f"{names.to_text(zone)}:{port}" for zone, port in self.zones)


_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration(text: str) -> float | None:
    if re.fullmatch(r"\d+", text):
        return float(text)
    if not re.fullmatch(r"(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+", text):
        return None
    return sum(
        float(number) * _UNITS[unit] for number, _, unit in re.findall(r"(\d+(\.\d*)?)(ns|us|µs|ms|s|m|h)", text)
    )
