"""`hosts [FILE [ZONES…]] { ADDRESS NAME… · ttl · no_reverse · reload · fallthrough }`."""

import asyncio
import logging
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from weft.dns.chain import Answer, Plugin, Serve, Site, longest_match
from weft.dns.corefile import Directive, ServerBlock
from weft.dns.message import names
from weft.dns.message.query import NXDOMAIN, Query
from weft.dns.message.records import AAAA, PTR, A, Record, address
from weft.dns.message.reply import FOREVER, Reply
from weft.dns.message.reverse import reverse_address
from weft.dns.plugins.hosts.table import Table, read

_log = logging.getLogger(__name__)
PROPERTIES = ("ttl", "no_reverse", "reload", "fallthrough")


@dataclass(frozen=True, slots=True)
class Config:
    file: str
    zones: tuple[bytes, ...]
    inline: tuple[str, ...] = ()
    ttl: int = 3600
    reverse: bool = True
    every: float = 5.0
    fallthrough: tuple[bytes, ...] = ()


def parse(directive: Directive, block: ServerBlock) -> Config:
    file = directive.args[0] if directive.args else "/etc/hosts"
    values: dict[str, object] = {"file": file, "zones": directive.zones(directive.args[1:]) or block.names}
    inline: list[str] = []
    for item in directive.block:
        match item.name:
            case "ttl":
                values["ttl"] = item.integer(item.one("SECONDS"), 1, 65535)
            case "no_reverse":
                item.none()
                values["reverse"] = False
            case "reload":
                values["every"] = item.duration(item.one("DURATION"))
            case "fallthrough":
                values["fallthrough"] = item.zones(item.args) or (names.ROOT,)
            case _:
                inline.append(_inline(item))
    return Config(**values, inline=tuple(inline))  # type: ignore[arg-type]


def _inline(item: Directive) -> str:
    try:
        ip_address(item.name)
    except ValueError:
        raise item.unknown((*PROPERTIES, "or ADDRESS NAME…")) from None
    return " ".join((item.name, *item.some("NAME…")))


class Hosts:
    def __init__(self, config: Config, next_: Serve, site: Site) -> None:
        self._config = config
        self._next = next_
        self._site = site
        self._entries = site.metrics.gauge("coredns_hosts_entries", "Entries of hosts files and the Corefile.")
        self._text = ""
        self._table = Table()
        self.reload(first=True)

    def reload(self, first: bool = False) -> None:
        """Reads the file; prepared answers are forgotten where it has changed."""
        try:
            text = Path(self._config.file).read_text(errors="replace")
        except OSError as error:
            text = ""
            if first and not self._config.inline:
                _log.warning("hosts file %s cannot be read: %s", self._config.file, error.strerror)
        if first or text != self._text:
            self._text = text
            self._table = read(text, self._config.inline)
            self._entries.set(to=self._table.size)
            if not first:
                self._site.resolver.changed_all()

    async def run(self) -> None:
        while self._config.every:
            await asyncio.sleep(self._config.every)
            self.reload()

    def serve(self, query: Query) -> Answer:
        if longest_match(query.key, self._config.zones) is None:
            return self._next(query)
        if query.type == PTR and self._config.reverse:
            text = reverse_address(query.key)
            hosts = self._table.pointers.get(text or "", ())
            if hosts:
                return self._found(tuple(Record(query.name, PTR, self._config.ttl, host) for host in hosts))
            return self._missing(query)
        addresses = self._table.find(query.key)
        if addresses is None:
            return self._missing(query)
        records = (address(query.name, text, self._config.ttl) for text in addresses)
        wanted = query.type if query.type in (A, AAAA) else 0
        return self._found(tuple(record for record in records if record.type == wanted))

    def _found(self, answer: tuple[Record, ...]) -> Reply:
        return Reply(answer=answer, authoritative=True, keep=FOREVER, live=True, by="hosts")

    def _missing(self, query: Query) -> Answer:
        # Without fallthrough a reverse zone that is ours by the server block alone would hide all other addresses.
        through = self._config.fallthrough
        if query.type == PTR or (through and longest_match(query.key, through) is not None):
            return self._next(query)
        return Reply(NXDOMAIN, authoritative=True, keep=FOREVER, live=True, by="hosts")


def build(config: Config, next_: Serve, site: Site) -> Serve:
    hosts = Hosts(config, next_, site)
    site.background.append(hosts.run)
    return hosts.serve


PLUGIN = Plugin("hosts", parse, build)
