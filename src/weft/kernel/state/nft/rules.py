"""Rules: statements over fields, each a value that spells itself (nft(8), "STATEMENTS").

Only what Weft's components use has a class here; a new need is a new small class, never a piece of text.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

from weft.kernel.state.nft.fields import Concat, Family, Field, Value, check_comment, text_of
from weft.kernel.state.nft.objects import Chain, Map, Set, Verdict


class Statement(Protocol):
    def render(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Match:
    """The packet goes on only if `field` is `value`, or (`op` "!=") is not."""

    field: Field
    value: Value
    op: Literal["==", "!="] = "=="

    def render(self) -> str:
        return f"{self.field.text} {'!= ' if self.op == '!=' else ''}{text_of(self.field.kind, self.value)}"


@dataclass(frozen=True, slots=True)
class OneOf:
    """The packet goes on only if `field` is one of `values`, or (`op` "!=") is none of them."""

    field: Field
    values: tuple[Value, ...]
    op: Literal["==", "!="] = "=="

    def render(self) -> str:
        spelt = ", ".join(text_of(self.field.kind, value) for value in self.values)
        return f"{self.field.text} {'!= ' if self.op == '!=' else ''}{{ {spelt} }}"


@dataclass(frozen=True, slots=True)
class MatchBits:
    """The packet goes on only if a mark has exactly `value` under `mask`."""

    field: Field
    mask: int
    value: int

    def render(self) -> str:
        kind = self.field.kind
        return f"{self.field.text} & {text_of(kind, self.mask)} == {text_of(kind, self.value)}"


@dataclass(frozen=True, slots=True)
class InSet:
    """The packet goes on only if the key is in the set, or (`op` "!=") is not."""

    key: Concat
    set: Set
    op: Literal["==", "!="] = "=="

    def render(self) -> str:
        return f"{self.key.text} {'!= ' if self.op == '!=' else ''}@{self.set.name}"


@dataclass(frozen=True, slots=True)
class VerdictMap:
    """Does what the map says for the key; goes on where the map does not have it."""

    key: Concat
    map: Map

    def render(self) -> str:
        return f"{self.key.text} vmap @{self.map.name}"


@dataclass(frozen=True, slots=True)
class DnatTo:
    """Sends the connection to the address and port that the map has for the key; goes on where it has none.

    Needs a match of the transport protocol in the same rule.
    """

    key: Concat
    map: Map

    def render(self) -> str:
        family = "ip6" if self.map.table.family == "ip6" else "ip"
        return f"dnat {family} to {self.key.text} map @{self.map.name}"


@dataclass(frozen=True, slots=True)
class Masquerade:
    """The source becomes the address of the interface that the packet leaves by."""

    fully_random: bool = True

    def render(self) -> str:
        return "masquerade fully-random" if self.fully_random else "masquerade"


@dataclass(frozen=True, slots=True)
class Reject:
    """Answers with an ICMP error. The default is port unreachable: TCP and UDP callers see ECONNREFUSED."""

    reason: str = "port-unreachable"
    family: Family = "inet"
    """Of the table; asked for where the reason is not the default."""

    def render(self) -> str:
        if self.reason == "tcp-reset":
            return "reject with tcp reset"
        if self.reason == "port-unreachable":
            return "reject"
        kind = {"ip": "icmp", "ip6": "icmpv6"}.get(self.family, "icmpx")
        return f"reject with {kind} type {text_of('word', self.reason)}"


@dataclass(frozen=True, slots=True)
class SetBits:
    """Sets the bits of `value` under `mask` in a mark; the other bits belong to others."""

    field: Field
    mask: int
    value: int

    def render(self) -> str:
        keep, kind = ~self.mask & 0xFFFFFFFF, self.field.kind
        return f"{self.field.text} set {self.field.text} & {text_of(kind, keep)} | {text_of(kind, self.value)}"


@dataclass(frozen=True, slots=True)
class Update:
    """Puts the key (with the data, in a map) into a dynamic set, or renews its `timeout` (seconds)."""

    key: Concat
    set: Set
    data: Concat | None = None
    timeout: int = 0

    def render(self) -> str:
        timeout = f" timeout {self.timeout}s" if self.timeout else ""
        data = f" : {self.data.text}" if self.data else ""
        return f"update @{self.set.name} {{ {self.key.text}{timeout}{data} }}"


@dataclass(frozen=True, slots=True)
class Counter:
    """Counts packets and bytes that come this far."""

    def render(self) -> str:
        return "counter"


@dataclass(frozen=True, slots=True)
class Notrack:
    """Keeps connection tracking away from the packet."""

    def render(self) -> str:
        return "notrack"


@dataclass(frozen=True, slots=True)
class Rule:
    """Statements one after the other; a verdict, if any, comes last."""

    chain: Chain
    statements: tuple[Statement | Verdict, ...]
    comment: str = ""

    def __post_init__(self) -> None:
        check_comment(self.comment)
        if not self.statements:
            raise ValueError(f"rule in {self.chain.text}: no statement")

    def text(self) -> str:
        spelt = " ".join(statement.render() for statement in self.statements)
        return f'{spelt} comment "{self.comment}"' if self.comment else spelt

    def render(self) -> str:
        return f"rule {self.chain.text} {self.text()}"


def rule(chain: Chain, *statements: Statement | Verdict, comment: str = "") -> Rule:
    return Rule(chain, statements, comment)
