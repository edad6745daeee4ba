"""The nftables mode: takes tables over or makes them, and applies steps."""

import asyncio
import errno
import logging
from collections.abc import Iterable, Mapping

from weft.addresses import Prefix
from weft.kernel.nft import Nft, NftError, Watch
from weft.kernel.nft import TableState as TableNames
from weft.kernel.state.nft import Datum, Family, Table, Transaction
from weft.proxy.nftables.layout import PROTOCOLS, TABLE_NAME, Layout, Options
from weft.proxy.nftables.render import frontend_of, place_of, protocol_of
from weft.proxy.nftables.state import TableState
from weft.proxy.plan import Changes, Stale

_log = logging.getLogger(__name__)
FAMILIES: tuple[Family, ...] = ("ip", "ip6")


def layouts(cluster_cidrs: Iterable[Prefix], *, masquerade_all: bool) -> tuple[Layout, ...]:
    by_version = {prefix.version: prefix for prefix in cluster_cidrs}
    return tuple(
        Layout(family, Options(by_version.get(6 if family == "ip6" else 4), masquerade_all)) for family in FAMILIES
    )


def _of_width(changes: Changes, width: int) -> Changes:
    return {at: entry for at, entry in changes.items() if len(at.address) == width}


class NftablesMode:
    """`plan.Mode` over nftables; a table for each family."""

    def __init__(self, nft: Nft, tables: Iterable[Layout]) -> None:
        self._nft = nft
        self._tables = {4 if one.family == "ip" else 16: TableState(one) for one in tables}
        self._service_ranges: tuple[Prefix, ...] = ()

    async def apply(self, changes: Changes, *, complete: bool = False) -> Stale:
        stale = Stale()
        for width, table in self._tables.items():
            whole = self._begin(table) if complete else None
            for step in table.steps(_of_width(changes, width), complete=complete):
                for key, end in step.stale:
                    stale.pairs.append((frontend_of(key), end[:width], int.from_bytes(end[width : width + 2], "big")))
                if whole is not None:
                    whole.changes += [*step.chains.changes, *step.elements.changes]
                    continue
                if step.chains:
                    self._nft.apply(step.chains)
                    table.digests = {**self._nft.rules(table.layout.table), **table.digests}
                if step.elements:
                    self._nft.apply(step.elements)
                self._estrange(table.layout, step.estranged)
                await asyncio.sleep(0)
            if whole is not None:
                self._nft.apply(whole)
                table.digests = dict(self._nft.rules(table.layout.table))
        return stale

    def _estrange(self, layout: Layout, pairs: list[tuple[bytes, bytes | None]]) -> None:
        """Makes clients choose anew whose endpoint has gone. The kernel keeps their map, so it must be listed."""
        for protocol in PROTOCOLS:
            lost = {(place_of(key), end) for key, end in pairs if protocol_of(key) == protocol}
            if not lost:
                continue
            held, width = layout.affinity(protocol), layout.key_width
            for key, end in self._nft.elements(held).items():
                if (key[width:], end) in lost or (key[width:], None) in lost:
                    try:
                        self._nft.apply(Transaction().delete_elements(held, [key]))
                    except NftError as error:
                        # Its time may run out between the two.
                        if error.errno != errno.ENOENT:
                            raise

    def intact(self) -> bool:
        """Only our own generation of the table has its comment, chains and sets."""
        for table in self._tables.values():
            state = self._nft.observe(table.layout.table)
            if table.begun and (state is None or not table.known(state.comment, state.chains, state.sets)):
                return False
        return True

    def watch(self) -> Watch | None:
        return self._nft.watch(TABLE_NAME)

    def set_service_ranges(self, ranges: tuple[Prefix, ...]) -> None:
        """A table that is yet to be made gets them when it is."""
        self._service_ranges = ranges
        for table in self._tables.values():
            if table.begun:
                self._nft.apply(self._ranges(table.layout))

    def _ranges(self, layout: Layout) -> Transaction:
        wanted = [one for one in self._service_ranges if (one.version == 4) == (layout.family == "ip")]
        held = layout.service_ranges
        return Transaction().flush(held).add_elements(held, {held.pack(one): None for one in wanted})

    def _begin(self, table: TableState) -> Transaction | None:
        """Takes the kernel's table over where it is one of this layout, or makes an empty one where there is none.

        Where there is another, Services must not go missing between two steps: the beginning of the one transaction
        that replaces it is returned.
        """
        layout = table.layout
        state = self._nft.observe(layout.table)
        if state is not None and self._unharmed(table, state):
            maps = {one.name: self._nft.elements(one) for one in layout.observed_sets()}
            try:
                table.take_over(state.chains, maps)
                self._nft.apply(self._ranges(layout))
                table.digests = dict(self._nft.rules(layout.table))
                _log.info("took over table %s with %d frontends", layout.table.text, len(table.programmed))
                return None
            except (ValueError, NftError) as error:
                _log.warning("table %s is not as it was left (%s): replacing it", layout.table.text, error)
        table.digests = {}
        nothing: Mapping[str, Mapping[bytes, Datum]] = {one.name: {} for one in layout.observed_sets()}
        table.take_over(frozenset(), nothing)
        made = layout.skeleton()
        made.changes += self._ranges(layout).changes
        if state is not None:
            _log.info("replacing table %s, which has another layout or was changed", layout.table.text)
            return made
        self._nft.apply(made)
        table.digests = dict(self._nft.rules(layout.table))
        _log.info("made table %s", layout.table.text)
        return None

    def _unharmed(self, table: TableState, state: TableNames) -> bool:
        """Whether the rules are those that were made; how the elements are does not matter, they are compared."""
        layout = table.layout
        if not table.known(state.comment, frozenset(layout.names), state.sets):
            return False
        held = self._nft.rules(layout.table)
        # Every chain has a rule, but for a local policy that leads nowhere.
        bare = {name for name in state.chains if not name.startswith("local-")} - held.keys()
        return not bare and all(held.get(chain) == digest for chain, digest in table.digests.items())

    @staticmethod
    def render(tables: Iterable[Layout], changes: Changes) -> str:
        """All that a node without tables would be given, as text for `nft -f`."""
        parts = []
        for layout in tables:
            parts.append(layout.skeleton().render())
            for step in TableState(layout).steps(_of_width(changes, 4 if layout.family == "ip" else 16)):
                parts.append(step.chains.render() + step.elements.render())
        return "".join(parts)

    async def cleanup(self) -> None:
        for family in FAMILIES:
            self._nft.apply(Transaction().remove(Table(family, TABLE_NAME)))

    def close(self) -> None:
        self._nft.close()
