"""Tables, chains, sets and maps as values (nft(8), "TABLES" to "MAPS")."""

from dataclasses import dataclass
from typing import Literal

from weft.kernel.state.nft.fields import Concat, Family, Value, check_comment, check_name, text_of

ChainType = Literal["filter", "nat", "route"]
HookName = Literal["prerouting", "input", "forward", "output", "postrouting", "ingress", "egress"]
_FAMILIES = ("ip", "ip6", "inet", "bridge", "netdev")


@dataclass(frozen=True, slots=True)
class Table:
    family: Family
    name: str
    comment: str = ""

    def __post_init__(self) -> None:
        if self.family not in _FAMILIES:
            raise ValueError(f"table {self.name}: {self.family!r} is no family of nftables")
        check_name(self.name, "table")
        check_comment(self.comment)

    @property
    def text(self) -> str:
        return f"{self.family} {self.name}"

    def render(self) -> str:
        return f'table {self.text} {{ comment "{self.comment}" ; }}' if self.comment else f"table {self.text}"


@dataclass(frozen=True, slots=True)
class Hook:
    """Where a base chain sits; a lower `priority` runs first (dstnat −100, filter 0, srcnat 100)."""

    type: ChainType
    hook: HookName
    priority: int
    policy: Literal["accept", "drop"] = "accept"
    device: str = ""

    def render(self) -> str:
        device = f" device {text_of('interface', self.device)}" if self.device else ""
        return f"type {self.type} hook {self.hook}{device} priority {self.priority} ; policy {self.policy} ;"


@dataclass(frozen=True, slots=True)
class Chain:
    table: Table
    name: str
    hook: Hook | None = None

    def __post_init__(self) -> None:
        check_name(self.name, "chain")

    @property
    def text(self) -> str:
        return f"{self.table.text} {self.name}"

    def render(self) -> str:
        return f"chain {self.text} {{ {self.hook.render()} }}" if self.hook else f"chain {self.text}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of the packet: `chain` says where to, for goto and jump."""

    word: Literal["accept", "drop", "return", "continue", "goto", "jump"]
    chain: str = ""

    def __post_init__(self) -> None:
        if self.word in ("goto", "jump"):
            check_name(self.chain, "chain")
        elif self.chain:
            raise ValueError(f"verdict {self.word} takes no chain, not {self.chain!r}")

    def render(self) -> str:
        return f"{self.word} {self.chain}" if self.chain else self.word


ACCEPT, DROP, RETURN = Verdict("accept"), Verdict("drop"), Verdict("return")


def goto(chain: Chain | str) -> Verdict:
    return Verdict("goto", chain if isinstance(chain, str) else chain.name)


def jump(chain: Chain | str) -> Verdict:
    return Verdict("jump", chain if isinstance(chain, str) else chain.name)


@dataclass(frozen=True, slots=True)
class Set:
    """A set of keys. `interval` keys are ranges; a `dynamic` set is filled by rules; `timeout` is in seconds."""

    table: Table
    name: str
    key: Concat
    interval: bool = False
    dynamic: bool = False
    timeout: int = 0
    size: int = 0
    comment: str = ""

    def __post_init__(self) -> None:
        check_name(self.name, "set")
        check_comment(self.comment)

    @property
    def text(self) -> str:
        return f"{self.table.text} {self.name}"

    @property
    def word(self) -> str:
        return "set"

    def type_text(self) -> str:
        return self.key.text

    def pack(self, *values: Value) -> bytes:
        return self.key.pack_interval(*values) if self.interval else self.key.pack(*values)

    def render(self) -> str:
        flags = ["interval"] * self.interval + ["dynamic"] * self.dynamic + ["timeout"] * bool(self.timeout)
        parts = [f"typeof {self.type_text()} ;"]
        if flags:
            parts.append(f"flags {','.join(flags)} ;")
        if self.timeout:
            parts.append(f"timeout {self.timeout}s ;")
        if self.size:
            parts.append(f"size {self.size} ;")
        if self.comment:
            parts.append(f'comment "{self.comment}" ;')
        return f"{self.word} {self.text} {{ {' '.join(parts)} }}"


@dataclass(frozen=True, slots=True)
class Map(Set):
    """A set whose keys have data: more fields, or (`data` is None) a verdict."""

    data: Concat | None = None

    @property
    def word(self) -> str:
        return "map"

    def type_text(self) -> str:
        return f"{self.key.text} : {self.data.text if self.data else 'verdict'}"

    def pack_data(self, *values: Value) -> bytes:
        if self.data is None:
            raise ValueError(f"map {self.name} holds verdicts")
        return self.data.pack(*values)


Datum = bytes | Verdict | None
"""What an element's key leads to: fields, a verdict, or (in a set) nothing."""


def element_text(of: Set, key: bytes, datum: Datum) -> str:
    """`10.96.0.1 . tcp . 80 : goto pick-3`; ValueError where the datum does not fit."""
    spelt = of.key.spell(key)
    if not isinstance(of, Map):
        if datum is not None:
            raise ValueError(f"set {of.name} holds no data")
        return spelt
    if of.data is None:
        if not isinstance(datum, Verdict):
            raise ValueError(f"map {of.name} holds verdicts")
        return f"{spelt} : {datum.render()}"
    if not isinstance(datum, bytes):
        raise ValueError(f"map {of.name} holds {of.data.text}")
    return f"{spelt} : {of.data.spell(datum)}"
