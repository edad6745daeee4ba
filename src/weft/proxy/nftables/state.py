"""What one family's table holds, and the transactions that bring it to what it should hold. Pure.

The kernel is listed once, when a table is taken over; from then on a change costs what changes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from weft.kernel.state.nft import PROTOCOLS, Datum, Set, Transaction
from weft.proxy.model import Entry
from weft.proxy.nftables import chains
from weft.proxy.nftables.layout import Layout
from weft.proxy.nftables.render import NOTHING, Programmed, elements, key_of, observed, program, protocol_of, shared
from weft.proxy.plan import Changes

CHUNK = 4000
"""Elements in a transaction, about: the kernel takes 20 ms for them, and nothing else can be changed meanwhile."""
_GUARD = ("guarded", "allowed")


@dataclass(slots=True)
class Step:
    """To be applied in order: `chains`, which nothing refers to yet, then `elements`."""

    chains: Transaction
    elements: Transaction
    stale: list[tuple[bytes, bytes]]
    """UDP destinations and endpoints that no longer belong together: conntrack must forget them."""
    estranged: list[tuple[bytes, bytes | None]] = field(default_factory=list)
    """Destinations and endpoints (None: any) that no client may be remembered to have any longer."""


@dataclass(slots=True)
class _Delta:
    """Elements to delete and add, by set; deletions come first, so a key can be given another datum."""

    sets: Mapping[str, Set]
    gone: dict[str, list[bytes]] = field(default_factory=dict)
    new: dict[str, dict[bytes, Datum]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    stale: list[tuple[bytes, bytes]] = field(default_factory=list)
    estranged: list[tuple[bytes, bytes | None]] = field(default_factory=list)
    size: int = 0

    def compare(self, name: str, before: Mapping[bytes, Datum], after: Mapping[bytes, Datum]) -> None:
        doomed = [key for key, datum in before.items() if key not in after or after[key] != datum]
        fresh = {key: datum for key, datum in after.items() if key not in before or before[key] != datum}
        if doomed:
            self.gone.setdefault(name, []).extend(doomed)
        if fresh:
            self.new.setdefault(name, {}).update(fresh)
        self.size += len(doomed) + len(fresh)

    def transaction(self) -> Transaction:
        made = Transaction()
        for name, keys in self.gone.items():
            made.delete_elements(self.sets[name], keys)
        for name, held in self.new.items():
            made.add_elements(self.sets[name], held)
        return made


class TableState:
    """The state of one table. After a transaction failed, `take_over` what the kernel holds and begin anew."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.programmed: dict[bytes, Programmed] = {}
        self.chains: set[str] = set()
        self._sets = {one.name: one for one in layout.sets()}
        self._references: dict[tuple[str, bytes], int] = {}
        self._unclaimed: set[tuple[str, bytes]] = set()
        """Shared elements that the kernel holds and no Frontend has asked for yet."""
        self._guard_unknown = False
        self.digests: dict[str, str] = {}
        """Of the rules of each chain, as they were made."""
        self.begun = False
        """Whether the kernel has the table."""

    def known(self, comment: str, chains: frozenset[str], sets: frozenset[str]) -> bool:
        """Whether a table with these looks like the one that was made."""
        return comment == self.layout.comment() and chains >= self.chains and sets >= self._sets.keys()

    def take_over(self, known_chains: frozenset[str], maps: Mapping[str, Mapping[bytes, Datum]]) -> None:
        """Begins with what the kernel holds. ValueError where that is not what we could have left."""
        self.programmed = observed(maps)
        self.chains = set(known_chains)
        self.begun = True
        self._references = {}
        self._unclaimed = {(name, key) for name in ("cluster-ips", "hairpin") for key in maps[name]}
        self._guard_unknown = bool(maps["guarded"])

    def steps(self, changes: Changes, *, complete: bool = False) -> Iterator[Step]:
        """The transactions for these changes; `complete`: what they do not name is to go.

        The state changes as the steps are taken: apply each before asking for the next.
        """
        wanted: dict[bytes, Entry | None] = {key_of(at): entry for at, entry in changes.items()}
        if complete:
            wanted.update(dict.fromkeys(self.programmed.keys() - wanted.keys()))
        delta = _Delta(self._sets)
        for key, entry in wanted.items():
            self._change(key, entry, delta)
            if delta.size >= CHUNK:
                yield self._step(delta)
                delta = _Delta(self._sets)
        if complete:
            for name, key in self._unclaimed:
                delta.gone.setdefault(name, []).append(key)
            self._unclaimed = set()
        if delta.gone or delta.new:
            yield self._step(delta)
        if self._guard_unknown:
            self._guard_unknown = False
            yield Step(Transaction(), self._rewrite_guard(), [])

    def _change(self, key: bytes, entry: Entry | None, delta: _Delta) -> None:
        before = self.programmed.get(key, NOTHING)
        after = program(protocol_of(key), entry, before) if entry else NOTHING
        if before == after:
            return
        old, new = elements(self.layout, key, before), elements(self.layout, key, after)
        for name in {**old, **new}:
            if not (self._guard_unknown and name in _GUARD):
                delta.compare(name, old.get(name, {}), new.get(name, {}))
        self._share(key, before, after, delta)
        delta.names.update(verdict.chain for verdict in (after.verdict, after.sticky) if verdict)
        gone = {*before.slots, *before.local_slots} - {*after.slots, *after.local_slots}
        if key[-8] == PROTOCOLS["udp"]:
            self._forget(key, before, after, gone, delta)
        if before.sticky:
            delta.estranged += [(key, end) for end in gone] if after.sticky else [(key, None)]
        if after is NOTHING:
            self.programmed.pop(key, None)
        else:
            self.programmed[key] = after

    def _share(self, key: bytes, before: Programmed, after: Programmed, delta: _Delta) -> None:
        for element in shared(key, after):
            count = self._references.get(element, 0)
            self._references[element] = count + 1
            if count == 0:
                if element in self._unclaimed:
                    self._unclaimed.discard(element)
                elif not self._restore(element, delta):
                    delta.new.setdefault(element[0], {})[element[1]] = None
                    delta.size += 1
        for element in shared(key, before):
            count = self._references[element] - 1
            if count:
                self._references[element] = count
                continue
            del self._references[element]
            if delta.new.get(element[0], {}).pop(element[1], element) is element:
                delta.gone.setdefault(element[0], []).append(element[1])
                delta.size += 1

    @staticmethod
    def _restore(element: tuple[str, bytes], delta: _Delta) -> bool:
        """Takes back a deletion that this very transaction was to make."""
        doomed = delta.gone.get(element[0], [])
        if element[1] in doomed:
            doomed.remove(element[1])
            return True
        return False

    @staticmethod
    def _forget(key: bytes, before: Programmed, after: Programmed, gone: set[bytes], delta: _Delta) -> None:
        delta.stale += [(key, end) for end in gone]
        if after.verdict and not before.verdict:
            # Flows that began before there was an endpoint go on untranslated for as long as they are used.
            delta.stale.append((key, key[:-8] + key[-4:]))

    def _step(self, delta: _Delta) -> Step:
        made = chains.make(self.layout, delta.names, self.chains)
        return Step(made, delta.transaction(), delta.stale, delta.estranged)

    def _rewrite_guard(self) -> Transaction:
        made = Transaction().flush(*(self._sets[name] for name in _GUARD))
        for key, held in self.programmed.items():
            if held.sources:
                rendered = elements(self.layout, key, held)
                for name in _GUARD:
                    made.add_elements(self._sets[name], rendered[name])
        return made
