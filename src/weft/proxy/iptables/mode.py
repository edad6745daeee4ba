"""The iptables mode: reads our chains once, then writes what changes."""

import asyncio
import logging
from collections.abc import Iterable

from weft.addresses import Prefix
from weft.kernel.iptables import Iptables, IpVersion
from weft.proxy.iptables.render import JUMPS, Options
from weft.proxy.iptables.state import TABLES, Chains, leads, removal
from weft.proxy.plan import Changes, Stale

_log = logging.getLogger(__name__)
VERSIONS: tuple[IpVersion, ...] = (4, 6)


def options(cluster_cidrs: Iterable[Prefix], *, masquerade_all: bool) -> tuple[Options, ...]:
    by_version = {prefix.version: prefix for prefix in cluster_cidrs}
    return tuple(Options(version, by_version.get(version), masquerade_all) for version in VERSIONS)


def _of_version(changes: Changes, version: IpVersion) -> Changes:
    return {at: entry for at, entry in changes.items() if len(at.address) == (4 if version == 4 else 16)}


class IptablesMode:
    """`plan.Mode` over iptables; IPv4 and IPv6 apart."""

    def __init__(self, iptables: Iptables, families: Iterable[Options]) -> None:
        self._iptables = iptables
        self._options = tuple(families)
        self._chains = {one.version: Chains(one) for one in self._options}
        self._begun = False
        self._ranges: tuple[Prefix, ...] = ()

    async def apply(self, changes: Changes, *, complete: bool = False) -> Stale:
        """Each table in one transaction. Stale flows are those of UDP."""
        stale = Stale()
        for version, chains in self._chains.items():
            if complete:
                await asyncio.to_thread(self._observe, version)
            chains.change(_of_version(changes, version), stale)
            if complete:
                chains.forgotten(stale)
            await self._write(version, complete=complete)
        self._begun = True
        return stale

    def _observe(self, version: IpVersion) -> None:
        chains = self._chains[version]
        chains.observe({table: self._iptables.save(version, table) for table in TABLES})
        chains.ranges = tuple(one for one in self._ranges if one.version == version)

    async def _write(self, version: IpVersion, *, complete: bool = False) -> None:
        text = self._chains[version].text(complete=complete)
        if text:
            await asyncio.to_thread(self._iptables.restore, version, text)
            _log.debug("wrote IPv%d rules: lines=%d", version, text.count("\n"))
        self._chains[version].written()

    def intact(self) -> bool:
        """Whether the built-in chains lead into ours. What was done to ours in particular is not seen."""
        if not self._begun:
            return True
        looked = [(table, chain, rule) for table, chain, rule in JUMPS if chain in ("PREROUTING", "FORWARD")]
        return all(
            leads(self._iptables.list(version, table, chain), chain, rule)
            for version in self._chains
            for table, chain, rule in looked
        )

    def watch(self) -> None:
        """iptables tells nobody of changes: `intact` is all there is."""

    def set_service_ranges(self, ranges: tuple[Prefix, ...]) -> None:
        """Written at once where the rules are there already."""
        self._ranges = ranges
        for version, chains in self._chains.items():
            if self._begun:
                chains.set_ranges(tuple(one for one in ranges if one.version == version))
                if text := chains.text():
                    self._iptables.restore(version, text)
                chains.written()

    @staticmethod
    def render(families: Iterable[Options], changes: Changes) -> str:
        """All that a node without our chains would be given, as text for `iptables-restore --noflush`."""
        parts = []
        for one in families:
            chains = Chains(one)
            chains.observe(dict.fromkeys(TABLES, ""))
            chains.change(_of_version(changes, one.version), Stale())
            parts.append(f"# {'iptables' if one.version == 4 else 'ip6tables'}-restore --noflush\n")
            parts.append(chains.text(complete=True))
        return "".join(parts)

    async def cleanup(self) -> None:
        for version in self._chains:
            text = removal({table: self._iptables.save(version, table) for table in TABLES})
            if text:
                self._iptables.restore(version, text)
        self._begun = False

    def close(self) -> None:
        """Nothing is open between two calls."""
