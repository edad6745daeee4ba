"""What the maps hold, and the difference to what they should. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from weft.kernel.state.bpf import Map
from weft.proxy.ebpf.maps import ENDPOINTS, MEMBERS, PROGRAMMED, SERVICES, Rows, arrange, frontend, rows, targets
from weft.proxy.model import Entry, Frontend
from weft.proxy.plan import Changes

_LOOPBACK = {4: bytes((127, 0, 0, 1)), 16: bytes(15) + b"\x01"}


@dataclass(slots=True)
class Step:
    """Puts in order, then removals in order: a program that runs between two finds old endpoints or new ones."""

    put: list[tuple[Map, dict[bytes, bytes]]]
    remove: list[tuple[Map, list[bytes]]]
    lost: dict[tuple[int, bytes], set[bytes]]
    """Protocol and endpoint → frontends (`maps.frontend`) that it no longer serves."""


@dataclass(slots=True)
class MapState:
    """`begin` with what the maps hold; then `step` by changes."""

    _slots: dict[Frontend, tuple[bytes, ...]] = field(default_factory=dict)
    _entries: dict[Frontend, tuple[Entry, bool]] = field(default_factory=dict)
    _ports: dict[Frontend, dict[Frontend, Entry]] = field(default_factory=dict)
    """Loopback frontend → the NodePorts that it stands for."""
    _inherited: Rows = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._slots)

    def begin(self, observed: Rows) -> None:
        """The next step must be complete."""
        self._slots, self._entries, self._ports = {}, {}, {}
        self._inherited = observed

    def step(self, changes: Changes, *, complete: bool = False) -> Step:
        if complete and self._slots:
            self.begin(_join(self._held(at) for at in self._slots))
        with_loopback = self._with_loopback(changes)
        before = self._inherited if complete else _join(self._held(at) for at in with_loopback)
        slots_before = _slots_of(before)
        self._inherited = {}
        for at, (entry, loopback) in with_loopback.items():
            wanted = targets(at, entry)
            if entry is None or not wanted:
                self._slots.pop(at, None)
                self._entries.pop(at, None)
            else:
                self._slots[at] = arrange(slots_before.get(frontend(at), ()), wanted)
                self._entries[at] = entry, loopback
        after = _join(self._held(at) for at in with_loopback)
        return _difference(before, after)

    def _held(self, at: Frontend) -> Rows:
        if at not in self._slots:
            return {}
        entry, loopback = self._entries[at]
        return rows(at, entry, self._slots[at], loopback=loopback)

    def _with_loopback(self, changes: Changes) -> dict[Frontend, tuple[Entry | None, bool]]:
        """A NodePort answers on 127.0.0.1 and ::1 too, as long as any address of the family has it."""
        made: dict[Frontend, tuple[Entry | None, bool]] = {at: (entry, False) for at, entry in changes.items()}
        for at, entry in changes.items():
            local = Frontend(_LOOPBACK[len(at.address)], at.protocol, at.port)
            held = self._ports.get(local, {})
            if entry is not None and entry.kind == "NodePort":
                held = self._ports.setdefault(local, held)
                held[at] = entry
            elif held.pop(at, None) is None:
                continue
            if not held:
                self._ports.pop(local, None)
            made[local] = held[min(held)] if held else None, True
        return made


def _join(parts: Iterable[Rows]) -> Rows:
    joined: Rows = {one: {} for one in PROGRAMMED}
    for part in parts:
        for one, elements in part.items():
            joined[one].update(elements)
    return joined


def _slots_of(held: Rows) -> dict[bytes, tuple[bytes, ...]]:
    numbered: dict[bytes, dict[int, bytes]] = {}
    for key, end in held.get(ENDPOINTS, {}).items():
        numbered.setdefault(key[:-4], {})[int.from_bytes(key[-4:], "little")] = end
    return {key: tuple(ends[number] for number in sorted(ends)) for key, ends in numbered.items()}


def _difference(before: Rows, after: Rows) -> Step:
    put, remove = [], []
    for one in (MEMBERS, ENDPOINTS, SERVICES):
        held = before.get(one, {})
        if fresh := {key: value for key, value in after[one].items() if held.get(key) != value}:
            put.append((one, fresh))
    for one in (SERVICES, ENDPOINTS, MEMBERS):
        if doomed := [key for key in before.get(one, {}) if key not in after[one]]:
            remove.append((one, doomed))
    lost: dict[tuple[int, bytes], set[bytes]] = {}
    kept = {(key[:-4], end) for key, end in after[ENDPOINTS].items()}
    for key, end in before.get(ENDPOINTS, {}).items():
        if (key[:-4], end) not in kept:
            lost.setdefault((key[18], end), set()).add(key[:-4])
    return Step(put, remove, lost)
