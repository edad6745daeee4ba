"""BPF in memory: maps that can be looked into, programs that do not run."""

import errno
from collections.abc import Iterable, Mapping

from weft.kernel.bpf import BpfError
from weft.kernel.state.bpf import Hook, Map, Program, encode


class FakeBpf:
    def __init__(self) -> None:
        self.maps: dict[Map, dict[bytes, bytes]] = {}
        self.programs: dict[Hook, Program] = {}

    def open(self, maps: Iterable[Map]) -> None:
        wanted = list(maps)
        names = {one.name for one in wanted}
        for held in [one for one in self.maps if one.name in names and one not in wanted]:
            del self.maps[held]
        for one in wanted:
            self.maps.setdefault(one, {})

    def put(self, to: Map, elements: Mapping[bytes, bytes]) -> None:
        for key, value in elements.items():
            assert (len(key), len(value)) == (to.key, to.value), (to, key, value)
        if len(self.maps[to].keys() | elements.keys()) > to.entries:
            raise BpfError(errno.E2BIG, f"map {to.name} is full ({to.entries} entries)")
        self.maps[to].update(elements)

    def remove(self, of: Map, keys: Iterable[bytes]) -> None:
        for key in keys:
            self.maps[of].pop(key, None)

    def get(self, of: Map, key: bytes) -> bytes | None:
        return self.maps[of].get(key)

    def elements(self, of: Map) -> dict[bytes, bytes]:
        return dict(self.maps[of])

    def attach(self, programs: Iterable[Program]) -> None:
        numbers = {one.name: number for number, one in enumerate(self.maps)}
        for one in programs:
            encode(one.code, numbers)
            self.programs[one.hook] = one

    def attached(self) -> frozenset[Hook]:
        return frozenset(self.programs)

    def clear(self) -> None:
        self.maps.clear()
        self.programs.clear()

    def close(self) -> None:
        pass
