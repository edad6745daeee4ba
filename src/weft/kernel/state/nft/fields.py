"""What nftables can look at in a packet, and the shape of the keys and data that sets and maps hold (nft(8)).

Keys and data of elements are the kernel's own bytes: each field in network byte order (numbers in the machine's),
padded to 4 bytes, one after the other (NFT_REG32). So a diff compares bytes, an observed element needs no parsing, and
nothing that a user wrote can become syntax: text is made from the bytes when it is wanted.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from struct import pack, unpack
from typing import Literal

from weft.addresses import Address, Prefix

Family = Literal["ip", "ip6", "inet", "bridge", "netdev"]
Kind = Literal["ipv4", "ipv6", "proto", "port", "number", "mark", "interface", "word"]
Value = Address | Prefix | bytes | int | str | tuple[int, int]
"""One field's value: an address (or its bytes), a prefix or a port range in interval sets, a number, or a name."""

PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58, "sctp": 132}
_PROTOCOL_NAMES = {number: name for name, number in PROTOCOLS.items()}
_WIDTH: dict[Kind, int] = {
    "ipv4": 4, "ipv6": 16, "proto": 1, "port": 2, "number": 4, "mark": 4, "interface": 16, "word": 0,
}  # fmt: skip
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_./-]{0,127}")
_RESERVED = frozenset(
    re.findall(
        r"\w+",
        "accept add and arp at bridge chain comment constant continue counter create ct daddr delete describe device "
        "dnat drop dup dynamic element ether exists export exthdr fib filter flags flow flush fwd goto hook iif "
        "iifname inet insert interval ip ip6 jump last length limit list log map maps mark masquerade meta missing "
        "monitor netdev notrack numgen object oif oifname osf performance policy prefix protocol queue quota redirect "
        "reject rename replace reset return router rt ruleset saddr set sets size snat socket synproxy table tables "
        "tcp timeout to tproxy type typeof udp update vlan vmap xor",
    )
)
_INTERFACE = re.compile(r"[A-Za-z0-9_.:@-]{1,15}\*?")
_WORD = re.compile(r"[a-z][a-z0-9-]{0,31}")


def check_name(name: str, what: str) -> str:
    """`name`, if nft takes it as an identifier; ValueError otherwise."""
    if name in _RESERVED:
        raise ValueError(f"{what} {name!r}: is a word of nft's own (add another to it, as in my-{name})")
    if not _NAME.fullmatch(name):
        raise ValueError(f"{what} {name!r}: must begin with a letter and hold only letters, digits and _ . / -")
    return name


def check_comment(comment: str) -> str:
    if len(comment) > 127 or not comment.isprintable() or not comment.isascii() or set('"\\') & set(comment):
        raise ValueError(f'comment {comment!r}: at most 127 printable ASCII characters without " and \\')
    return comment


@dataclass(frozen=True, slots=True)
class Field:
    """Something of a packet, by its name in nft(8), and what kind of value it has."""

    text: str
    kind: Kind

    @property
    def padded(self) -> int:
        return (_WIDTH[self.kind] + 3) & ~3


IP_SADDR, IP_DADDR = Field("ip saddr", "ipv4"), Field("ip daddr", "ipv4")
IP6_SADDR, IP6_DADDR = Field("ip6 saddr", "ipv6"), Field("ip6 daddr", "ipv6")
L4PROTO = Field("meta l4proto", "proto")
SPORT, DPORT = Field("th sport", "port"), Field("th dport", "port")
TCP_DPORT, UDP_DPORT, SCTP_DPORT = Field("tcp dport", "port"), Field("udp dport", "port"), Field("sctp dport", "port")
"""Data of maps must be typed with one of these: libnftables 1.0.6 cannot read `th dport` back from the kernel there."""
MARK, CT_MARK = Field("meta mark", "mark"), Field("ct mark", "mark")
IIFNAME, OIFNAME = Field("iifname", "interface"), Field("oifname", "interface")
CT_STATE, CT_STATUS = Field("ct state", "word"), Field("ct status", "word")
CT_DIRECTION = Field("ct direction", "word")
CT_ORIGINAL_DADDR4, CT_ORIGINAL_DADDR6 = Field("ct original ip daddr", "ipv4"), Field("ct original ip6 daddr", "ipv6")
CT_ORIGINAL_SADDR4, CT_ORIGINAL_SADDR6 = Field("ct original ip saddr", "ipv4"), Field("ct original ip6 saddr", "ipv6")
CT_ORIGINAL_DPORT = Field("ct original proto-dst", "port")
"""Has a type only behind a match of one transport protocol in the same rule."""
FIB_SADDR_TYPE, FIB_DADDR_TYPE = Field("fib saddr type", "word"), Field("fib daddr type", "word")


def saddr(family: Family) -> Field:
    return IP6_SADDR if family == "ip6" else IP_SADDR


def daddr(family: Family) -> Field:
    return IP6_DADDR if family == "ip6" else IP_DADDR


def random_below(count: int, offset: int = 0) -> Field:
    """A random number from `offset` to `offset + count - 1`, drawn anew for each packet that asks."""
    if not (0 < count < 1 << 31 and 0 <= offset < 1 << 31):
        raise ValueError(f"a random number below {count} from {offset}: both must be small and positive")
    return Field(f"numgen random mod {count}" + (f" offset {offset}" if offset else ""), "number")


def text_of(kind: Kind, value: Value) -> str:
    """`value` as nft spells it; ValueError where it is no value of `kind`."""
    match kind, value:
        case "ipv4" | "ipv6", bytes():
            return str(_address(kind, value))
        case ("ipv4", IPv4Address() | IPv4Network()) | ("ipv6", IPv6Address() | IPv6Network()):
            return str(value)
        case "proto", str() if value in PROTOCOLS:
            return value
        case "proto", int() if 0 <= value < 256:
            return _PROTOCOL_NAMES.get(value, str(value))
        case "port", int() if 0 <= value < 65536:
            return str(value)
        case "port", (int(low), int(high)) if 0 <= low <= high < 65536:
            return f"{low}-{high}"
        case "number" | "mark", int() if 0 <= value < 1 << 32:
            return f"{value:#x}" if kind == "mark" else str(value)
        case "interface", str() if _INTERFACE.fullmatch(value):
            return f'"{value}"'
        case "word", str() if _WORD.fullmatch(value):
            return value
    raise ValueError(f"{value!r} is not a value of kind {kind}")


def pack_value(kind: Kind, value: Value) -> bytes:
    """The kernel's bytes of one value, padded to 4; ValueError where it is none of `kind`."""
    match kind, value:
        case "ipv4" | "ipv6", bytes() if len(value) == _WIDTH[kind]:
            return value
        case ("ipv4", IPv4Address()) | ("ipv6", IPv6Address()):
            return value.packed  # type: ignore[union-attr]
        case "proto", str() if value in PROTOCOLS:
            return bytes((PROTOCOLS[value], 0, 0, 0))
        case "proto", int() if 0 <= value < 256:
            return bytes((value, 0, 0, 0))
        case "port", int():
            return pack(">Hxx", value)
        case "number" | "mark", int():
            return pack("=I", value)
        case "interface", str() if _INTERFACE.fullmatch(value):
            return value.encode().ljust(16, b"\0")
    raise ValueError(f"{value!r} is not a value of kind {kind}")


def unpack_text(kind: Kind, data: bytes) -> str:
    """The text of one value from its padded bytes."""
    if kind in ("ipv4", "ipv6"):
        return str(_address(kind, data))
    if kind == "proto":
        return text_of(kind, data[0])
    if kind == "port":
        return str(int.from_bytes(data[:2], "big"))
    if kind == "interface":
        return text_of(kind, data.rstrip(b"\0").decode())
    return text_of(kind, unpack("=I", data)[0])


def bounds(kind: Kind, value: Value) -> tuple[bytes, bytes]:
    """First and last value that an interval covers, in the kernel's bytes."""
    if isinstance(value, IPv4Network | IPv6Network):
        return pack_value(kind, value.network_address), pack_value(kind, value.broadcast_address)
    if isinstance(value, tuple):
        return pack_value(kind, value[0]), pack_value(kind, value[1])
    return pack_value(kind, value), pack_value(kind, value)


def interval_text(kind: Kind, low: bytes, high: bytes) -> str:
    first, last = unpack_text(kind, low), unpack_text(kind, high)
    return first if low == high else f"{first}-{last}"


def _address(kind: Kind, data: bytes) -> Address:
    return IPv4Address(data) if kind == "ipv4" else IPv6Address(data)


@dataclass(frozen=True, slots=True)
class Concat:
    """Several fields looked at as one key, or several values as one datum: `ip daddr . meta l4proto . th dport`."""

    fields: tuple[Field, ...]

    @property
    def text(self) -> str:
        return " . ".join(field.text for field in self.fields)

    @property
    def size(self) -> int:
        return sum(field.padded for field in self.fields)

    @property
    def kernel_size(self) -> int:
        """The kernel pads fields only where there are several."""
        return _WIDTH[self.fields[0].kind] if len(self.fields) == 1 else self.size

    def pack(self, *values: Value) -> bytes:
        """The key of these values, in order; ValueError where one does not fit its field."""
        return b"".join(pack_value(f.kind, v) for f, v in zip(self.fields, values, strict=True))

    def pack_interval(self, *values: Value) -> bytes:
        """The key of an interval set's element: all first values, then all last ones."""
        pairs = [bounds(f.kind, v) for f, v in zip(self.fields, values, strict=True)]
        return b"".join(low for low, _ in pairs) + b"".join(high for _, high in pairs)

    def spell(self, data: bytes) -> str:
        """nft's text of a key or datum (twice as long for an interval); ValueError where the length is wrong."""
        if len(data) not in (self.size, 2 * self.size):
            raise ValueError(f"{len(data)} bytes for {self.text}, which takes {self.size}")
        parts, at = [], 0
        for field in self.fields:
            end = at + field.padded
            if len(data) == self.size:
                parts.append(unpack_text(field.kind, data[at:end]))
            else:
                parts.append(interval_text(field.kind, data[at:end], data[self.size + at : self.size + end]))
            at = end
        return " . ".join(parts)


def concat(*fields: Field) -> Concat:
    return Concat(fields)
