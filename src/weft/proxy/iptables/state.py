"""What our chains of one family hold, and the least text that brings them to what they should hold. Pure."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping

from weft.addresses import Prefix
from weft.proxy.endpoints import packed
from weft.proxy.iptables import render
from weft.proxy.iptables.render import JUMPS, Key, Options, Rules, bucket, name
from weft.proxy.model import Entry, Frontend
from weft.proxy.plan import Changes, Stale

TABLES = ("filter", "nat")
"""In this order: what is to be refused no longer must not be when it is translated no longer."""
End = tuple[bytes, int]
_OURS = re.compile(r"^:(WEFT-\S+)", re.MULTILINE)
_DISPATCH = re.compile(r"^-A WEFT-AT-\S+ -d ([^\s/]+)\S* -p udp .*--dport (\d+) .*-j WEFT-(?:SVC|FW)-(\S+)$", re.M)
_DNAT = re.compile(r"^-A WEFT-(?:SVC|ALL)-(\S+) -p udp .*--to-destination \[?([0-9a-f.:]+?)\]?:(\d+)$", re.M)


class Chains:
    """Tell it changes; `text` is what iptables-restore must read, once, for all that were told since the last."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.ranges: tuple[Prefix, ...] = ()
        self.programmed: dict[Frontend, Entry] = {}
        self.wanted: dict[Key, Rules] = {}
        self._buckets: dict[bytes, set[Frontend]] = {}
        self._near: Counter[bytes] = Counter()
        self._written: dict[Key, Rules | None] = {}
        """None: the chain is there, with we do not know what."""
        self._touched: set[Key] = set()
        self._jumps: list[tuple[str, str, str]] = []
        self._before: dict[Frontend, frozenset[End]] = {}

    def observe(self, saved: Mapping[str, str]) -> None:
        """Begins with what the kernel holds: tables as iptables-save writes them. All is written anew, in one step."""
        self._written = {(table, chain): None for table in TABLES for chain in _OURS.findall(saved[table])}
        self.programmed, self.wanted, self._buckets, self._near = {}, {}, {}, Counter()
        self._before = udp_endpoints(saved["nat"])
        self._touched = set()
        self._jumps = [(table, chain, rule) for table, chain, rule in JUMPS if not leads(saved[table], chain, rule)]

    def change(self, changes: Changes, stale: Stale) -> None:
        buckets: set[bytes] = set()
        for at, entry in changes.items():
            old = self.programmed.get(at)
            if old != entry:
                self._replace(at, old, entry)
                buckets.add(bucket(at.address))
            if at.protocol == "udp":
                before = self._before.pop(at, None) or _ends(old)
                stale.pairs += [(at, *end) for end in sorted(_stale(at, before, _ends(entry)))]
        for one in buckets:
            self._fill(one)
        self._fixed()

    def set_ranges(self, ranges: tuple[Prefix, ...]) -> None:
        self.ranges = ranges
        self._fixed()

    def forgotten(self, stale: Stale) -> None:
        """What was programmed before we began and nobody asked for: its UDP flows are stale."""
        for at, before in self._before.items():
            stale.pairs += [(at, *end) for end in sorted(before)]
        self._before = {}

    def _replace(self, at: Frontend, old: Entry | None, new: Entry | None) -> None:
        if old is not None:
            for key in render.chains_of(at, old, self.options):
                self._set(key, None)
            self._near -= Counter(_near(old))
            held = self._buckets[bucket(at.address)]
            held.discard(at)
            self.programmed.pop(at)
        if new is not None:
            for key, rules in render.chains_of(at, new, self.options).items():
                self._set(key, rules)
            self._near += Counter(_near(new))
            self._buckets.setdefault(bucket(at.address), set()).add(at)
            self.programmed[at] = new

    def _fill(self, one: bytes) -> None:
        held = [(at, self.programmed[at]) for at in sorted(self._buckets.get(one, ()))]
        chain = name("AT", one)
        self._set(("nat", chain), render.dispatch(held) if held else None)
        self._set(("filter", chain), render.refusals(held, self.options.version) if held else None)
        if not held:
            self._buckets.pop(one, None)

    def _fixed(self) -> None:
        jumps = render.jumps_to_buckets(self._buckets)
        self._set(("nat", "WEFT-SERVICES"), jumps)
        self._set(("nat", "WEFT-POSTROUTING"), render.POSTROUTING)
        self._set(("nat", "WEFT-HAIRPIN"), render.hairpin(self._near))
        self._set(("filter", "WEFT-REFUSE"), (*jumps, *render.unassigned(self.ranges)))

    def _set(self, key: Key, rules: Rules | None) -> None:
        if rules is None:
            self.wanted.pop(key, None)
        else:
            self.wanted[key] = rules
        self._touched.add(key)

    def text(self, *, complete: bool = False) -> str:
        """Empty where nothing differs. `complete`: our chains that nothing asks for are to go."""
        keys = self._touched | self._written.keys() if complete else self._touched
        parts = []
        for table in TABLES:
            changed = sorted(key for key in keys if key[0] == table and self._differs(key))
            jumps = [f"-I {chain} {rule}" for held, chain, rule in self._jumps if held == table]
            if changed or jumps:
                parts.append("\n".join([f"*{table}", *self._lines(changed, jumps), "COMMIT", ""]))
        return "".join(parts)

    def _differs(self, key: Key) -> bool:
        if key not in self._written or key not in self.wanted:
            return (key in self._written) != (key in self.wanted)
        return self._written[key] != self.wanted[key]

    def _lines(self, keys: list[Key], jumps: list[str]) -> Iterator[str]:
        for _, chain in keys:
            yield f":{chain} - [0:0]"
        for key in keys:
            for rule in self.wanted.get(key, ()):
                yield f"-A {key[1]} {rule}"
        yield from jumps
        for key in keys:
            if key not in self.wanted:
                yield f"-X {key[1]}"

    def written(self) -> None:
        """The text was applied."""
        for key in self._touched | self._written.keys():
            if key in self.wanted:
                self._written[key] = self.wanted[key]
            else:
                self._written.pop(key, None)
        self._touched, self._jumps = set(), []


def removal(saved: Mapping[str, str]) -> str:
    """The text that takes all of ours away."""
    parts = []
    for table in TABLES:
        chains = _OURS.findall(saved[table])
        jumps = [
            f"-D {chain} {rule}" for held, chain, rule in JUMPS if held == table and leads(saved[held], chain, rule)
        ]
        if chains:
            names = [f":{one} - [0:0]" for one in chains]
            parts.append("\n".join([f"*{table}", *names, *jumps, *(f"-X {one}" for one in chains), "COMMIT", ""]))
    return "".join(parts)


def leads(text: str, chain: str, rule: str) -> bool:
    """Whether a table, or a list of a chain, has this rule."""
    return f"-A {chain} {rule}" in text.splitlines()


def udp_endpoints(nat: str) -> dict[Frontend, frozenset[End]]:
    """Where our chains lead UDP, as iptables-save writes them."""
    ends: dict[str, set[End]] = {}
    for chain, address, port in _DNAT.findall(nat):
        ends.setdefault(chain, set()).add((packed(address), int(port)))
    found = ((packed(address), int(port), chain) for address, port, chain in _DISPATCH.findall(nat))
    # The second chain of a Local policy has a name of its own kind but the same ending.
    return {Frontend(address, "udp", port): frozenset(ends.get(chain, ())) for address, port, chain in found}


def _ends(entry: Entry | None) -> frozenset[End]:
    if entry is None:
        return frozenset()
    return frozenset((end.address, end.port) for end in (*entry.cluster, *(entry.local or ())))


def _stale(at: Frontend, before: frozenset[End], after: frozenset[End]) -> frozenset[End]:
    """What led elsewhere; and, when the first endpoint comes, what was sent to the Service's own address."""
    untranslated = {(at.address, at.port)} if after and not before else set()
    return (before - after) | untranslated


def _near(entry: Entry) -> set[bytes]:
    return {end.address for ends in (entry.cluster, entry.local or ()) for end in ends if end.local}
