"""nftables in memory: applies transactions as the kernel does, all or nothing, and refuses what it refuses."""

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from weft.kernel.nft import NftError, TableState
from weft.kernel.state.nft import (
    Chain,
    Change,
    Datum,
    ElementChange,
    Rule,
    Set,
    Table,
    Transaction,
    Verdict,
    element_text,
)

_Key = tuple[str, str]


@dataclass(slots=True)
class FakeTable:
    table: Table
    chains: dict[str, Chain] = field(default_factory=dict)
    rules: dict[str, list[Rule]] = field(default_factory=dict)
    sets: dict[str, Set] = field(default_factory=dict)
    elements: dict[str, dict[bytes, Datum]] = field(default_factory=dict)

    def copy(self) -> "FakeTable":
        return FakeTable(
            self.table,
            dict(self.chains),
            {name: list(rules) for name, rules in self.rules.items()},
            dict(self.sets),
            {name: dict(elements) for name, elements in self.elements.items()},
        )

    def users_of_chain(self, name: str) -> bool:
        targets = {
            statement.chain
            for rules in self.rules.values()
            for rule in rules
            for statement in rule.statements
            if isinstance(statement, Verdict)
        }
        data = (datum for held in self.elements.values() for datum in held.values())
        return name in targets or any(isinstance(datum, Verdict) and datum.chain == name for datum in data)

    def users_of_set(self, name: str) -> bool:
        statements = (statement for rules in self.rules.values() for rule in rules for statement in rule.statements)
        return any(f"@{name}" in statement.render().split() for statement in statements)


class FakeNft:
    """`kernel.nft.Nft` without a kernel. `transactions` keeps what was applied, oldest first."""

    def __init__(self) -> None:
        self.tables: dict[_Key, FakeTable] = {}
        self.transactions: list[Transaction] = []
        self.fail: NftError | None = None
        """Raised, once, by the next apply, which then changes nothing."""

    def apply(self, transaction: Transaction) -> None:
        if self.fail:
            failure, self.fail = self.fail, None
            raise failure
        text = transaction.render()
        touched = {_table_of(change) for change in transaction.changes}
        before = {key: self.tables[key].copy() for key in touched if key in self.tables}
        try:
            for change in transaction.changes:
                self._change(change)
        except NftError:
            for key in touched:
                self.tables.pop(key, None)
            self.tables.update(before)
            raise
        assert text or not transaction
        self.transactions.append(transaction)

    def _change(self, change: Change | ElementChange) -> None:
        if isinstance(change, ElementChange):
            self._elements(change)
        elif isinstance(change.object, Table):
            self._table(change, change.object)
        elif isinstance(change.object, Rule):
            self._rule(change.object)
        elif isinstance(change.object, Chain):
            self._chain(change, change.object)
        else:
            self._set(change, change.object)

    def _find(self, table: Table) -> FakeTable:
        found = self.tables.get((table.family, table.name))
        if found is None:
            raise _refused(errno.ENOENT, f"table {table.text}")
        return found

    def _table(self, change: Change, table: Table) -> None:
        if change.verb == "add":
            self.tables.setdefault((table.family, table.name), FakeTable(table))
            return
        found = self._find(table)
        if change.verb == "delete":
            del self.tables[table.family, table.name]
        else:
            found.rules = {name: [] for name in found.rules}

    def _chain(self, change: Change, chain: Chain) -> None:
        table = self._find(chain.table)
        if change.verb == "add":
            known = table.chains.setdefault(chain.name, chain)
            if known.hook != chain.hook and chain.hook is not None:
                raise _refused(errno.EEXIST, f"chain {chain.text}")
            table.rules.setdefault(chain.name, [])
            return
        if chain.name not in table.chains:
            raise _refused(errno.ENOENT, f"chain {chain.text}")
        table.rules[chain.name] = []
        if change.verb == "delete":
            if table.users_of_chain(chain.name):
                raise _refused(errno.EBUSY, f"chain {chain.text}")
            del table.chains[chain.name], table.rules[chain.name]

    def _rule(self, rule: Rule) -> None:
        table = self._find(rule.chain.table)
        if rule.chain.name not in table.chains:
            raise _refused(errno.ENOENT, rule.render())
        for statement in rule.statements:
            if isinstance(statement, Verdict) and statement.chain and statement.chain not in table.chains:
                raise _refused(errno.ENOENT, rule.render())
            named = [word[1:] for word in statement.render().split() if word.startswith("@")]
            if any(name not in table.sets for name in named):
                raise _refused(errno.ENOENT, rule.render())
        table.rules[rule.chain.name].append(rule)

    def _set(self, change: Change, wanted: Set) -> None:
        table = self._find(wanted.table)
        if change.verb == "add":
            known = table.sets.setdefault(wanted.name, wanted)
            if (known.type_text(), known.interval) != (wanted.type_text(), wanted.interval):
                raise _refused(errno.EEXIST, f"{wanted.word} {wanted.text}")
            table.elements.setdefault(wanted.name, {})
            return
        if wanted.name not in table.sets:
            raise _refused(errno.ENOENT, f"{wanted.word} {wanted.text}")
        if change.verb == "flush":
            table.elements[wanted.name] = {}
            return
        if table.users_of_set(wanted.name):
            raise _refused(errno.EBUSY, f"{wanted.word} {wanted.text}")
        del table.sets[wanted.name], table.elements[wanted.name]

    def _elements(self, change: ElementChange) -> None:
        table = self._find(change.set.table)
        if change.set.name not in table.sets:
            raise _refused(errno.ENOENT, f"{change.set.word} {change.set.text}")
        held = table.elements[change.set.name]
        for key, datum in change.elements.items():
            if change.verb == "delete":
                if key not in held:
                    raise _refused(errno.ENOENT, f"element {change.set.text} {change.set.key.spell(key)}")
                del held[key]
                continue
            if key in held and held[key] != datum:
                raise _refused(errno.EEXIST, f"element {change.set.text} {change.set.key.spell(key)}")
            if isinstance(datum, Verdict) and datum.chain and datum.chain not in table.chains:
                raise _refused(errno.ENOENT, f"element {change.set.text} {element_text(change.set, key, datum)}")
            held[key] = datum

    def observe(self, table: Table) -> TableState | None:
        found = self.tables.get((table.family, table.name))
        if found is None:
            return None
        return TableState(found.table.comment, frozenset(found.chains), frozenset(found.sets))

    def elements(self, of: Set) -> Mapping[bytes, Datum]:
        table = self._find(of.table)
        if of.name not in table.sets:
            raise _refused(errno.ENOENT, f"{of.word} {of.text}")
        return dict(table.elements[of.name])

    def rules(self, table: Table) -> Mapping[str, str]:
        found = self.tables.get((table.family, table.name))
        held = found.rules if found else {}
        return {chain: "\n".join(rule.text() for rule in rules) for chain, rules in held.items() if rules}

    def watch(self, table: str) -> None:
        return None

    def show(self, table: Table) -> str:
        """Like `nft list table`: sets with sorted elements, then chains with their rules."""
        found = self._find(table)
        lines = [f"table {table.text} {{"]
        for held in sorted(found.sets.values(), key=lambda one: one.name):
            lines.append(f"  {held.word} {held.name} {{ typeof {held.type_text()}")
            lines += [f"    {line}" for line in sorted(element_text(held, k, d) for k, d in _items(found, held))]
            lines.append("  }")
        for chain in sorted(found.chains.values(), key=lambda one: one.name):
            lines.append(f"  chain {chain.name} {{{f' {chain.hook.render()}' if chain.hook else ''}")
            lines += [f"    {rule.text()}" for rule in found.rules[chain.name]]
            lines.append("  }")
        return "\n".join([*lines, "}"]) + "\n"

    def close(self) -> None:
        pass


def _items(table: FakeTable, held: Set) -> list[tuple[bytes, Datum]]:
    return list(table.elements[held.name].items())


def _table_of(change: Change | ElementChange) -> _Key:
    if isinstance(change, ElementChange):
        table = change.set.table
    elif isinstance(change.object, Table):
        table = change.object
    else:
        table = change.object.chain.table if isinstance(change.object, Rule) else change.object.table
    return table.family, table.name


def _refused(code: int, what: str) -> NftError:
    return NftError(f"nftables: {os.strerror(code)}: {what}", code)
