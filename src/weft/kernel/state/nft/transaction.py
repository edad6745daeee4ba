"""A transaction: what is to be added, deleted and flushed, in order, all at once or not at all."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from weft.kernel.state.nft.objects import Chain, Datum, Set, Table, element_text
from weft.kernel.state.nft.rules import Rule

Verb = Literal["add", "delete", "flush"]
_PER_LINE = 400
"""Elements in one nft command; the parser's memory grows with the longest command."""


@dataclass(frozen=True, slots=True)
class Change:
    verb: Verb
    object: Table | Chain | Set | Rule

    def render(self) -> Iterable[str]:
        if self.verb == "add":
            yield f"add {self.object.render()}"
            return
        assert not isinstance(self.object, Rule)
        word = "table" if isinstance(self.object, Table) else "chain"
        yield f"{self.verb} {self.object.word if isinstance(self.object, Set) else word} {self.object.text}"


@dataclass(frozen=True, slots=True)
class ElementChange:
    """Elements of one set or map: key → datum. A deletion needs only the keys."""

    verb: Literal["add", "delete"]
    set: Set
    elements: Mapping[bytes, Datum]

    def render(self) -> Iterable[str]:
        if self.verb == "add":
            spelt = [element_text(self.set, key, datum) for key, datum in self.elements.items()]
        else:
            spelt = [self.set.key.spell(key) for key in self.elements]
        for at in range(0, len(spelt), _PER_LINE):
            yield f"{self.verb} element {self.set.text} {{ {', '.join(spelt[at : at + _PER_LINE])} }}"


@dataclass(slots=True)
class Transaction:
    """Collects changes; `Nft.apply` makes them true in one step, or raises and leaves all as it was."""

    changes: list[Change | ElementChange] = field(default_factory=list)

    def add(self, *objects: Table | Chain | Set | Rule) -> "Transaction":
        """Tables, chains and sets that exist already stay as they are; rules are appended."""
        self.changes += [Change("add", obj) for obj in objects]
        return self

    def delete(self, *objects: Table | Chain | Set) -> "Transaction":
        self.changes += [Change("delete", obj) for obj in objects]
        return self

    def flush(self, *objects: Table | Chain | Set) -> "Transaction":
        """Empties: a chain of its rules, a set of its elements, a table of all its rules."""
        self.changes += [Change("flush", obj) for obj in objects]
        return self

    def replace(self, table: Table) -> "Transaction":
        """An empty table, whatever there was before. (`destroy` needs kernel 6.3: add makes the delete safe.)"""
        return self.add(Table(table.family, table.name)).delete(table).add(table)

    def remove(self, table: Table) -> "Transaction":
        """No such table afterwards, whether or not there was one."""
        return self.add(Table(table.family, table.name)).delete(table)

    def add_elements(self, to: Set, elements: Mapping[bytes, Datum]) -> "Transaction":
        if elements:
            self.changes.append(ElementChange("add", to, elements))
        return self

    def delete_elements(self, of: Set, keys: Iterable[bytes]) -> "Transaction":
        doomed: dict[bytes, Datum] = dict.fromkeys(keys)
        if doomed:
            self.changes.append(ElementChange("delete", of, doomed))
        return self

    def __bool__(self) -> bool:
        return bool(self.changes)

    def render(self) -> str:
        """The whole as input for `nft -f`: one command a line."""
        return "".join(f"{line}\n" for change in self.changes for line in change.render())
