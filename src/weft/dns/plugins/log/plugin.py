"""`log [NAMES…] [FORMAT] { class CLASSES… }`: one line per query. Prepared answers are off where it is on."""

import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from weft.dns.chain import Answer, Plugin, Serve, Site, longest_match, then
from weft.dns.corefile import Directive, ServerBlock
from weft.dns.message import names
from weft.dns.message.query import NXDOMAIN, RCODE_NAMES, Query
from weft.dns.message.records import type_name
from weft.dns.message.reply import Reply, encode

_log = logging.getLogger(__name__)

COMMON = (
    '{remote}:{port} - {>id} "{type} {class} {name} {proto} {size} {>do} {>bufsize}" {rcode} {>rflags} {rsize} '
    "{duration}"
)
COMBINED = COMMON.replace('{>bufsize}"', '{>bufsize}" {>opcode}')
_CLASSES = ("all", "success", "denial", "error")
_FLAGS = ((0x8000, "qr"), (0x0400, "aa"), (0x0200, "tc"), (0x0100, "rd"), (0x0080, "ra"), (0x0020, "ad"), (0x10, "cd"))


@dataclass(frozen=True, slots=True)
class Config:
    zones: tuple[bytes, ...]
    format: str = COMMON
    classes: frozenset[str] = frozenset({"all"})


def parse(directive: Directive, block: ServerBlock) -> Config:
    args = list(directive.args)
    template = COMMON
    if args and "{" in args[-1]:
        template = args.pop().replace("{common}", COMMON).replace("{combined}", COMBINED)
    classes: set[str] = set()
    for item in directive.block:
        if item.name != "class":
            raise item.unknown(("class",))
        for value in item.some("CLASSES…"):
            if value not in _CLASSES:
                raise item.error(f"{value!r} is no class of replies", f"use {', '.join(_CLASSES)}")
            classes.add(value)
    return Config(directive.zones(args) or block.names, template, frozenset(classes or {"all"}))


class Log:
    def __init__(
        self,
        config: Config,
        next_: Serve,
        clock: Callable[[], float] = time.perf_counter,
        write: Callable[[str], None] = _log.info,
    ) -> None:
        self._config = config
        self._next = next_
        self._clock = clock
        self._write = write

    def serve(self, query: Query) -> Answer:
        if longest_match(query.key, self._config.zones) is None:
            return self._next(query)
        begun = self._clock()
        return then(self._next(query), lambda reply: self._line(query, reply, self._clock() - begun))

    def _line(self, query: Query, reply: Reply, seconds: float) -> Reply:
        if self._config.classes & {"all", class_of(reply)}:
            self._write(line(self._config.format, query, reply, seconds))
        return msgspec.structs.replace(reply, keep=0.0)


def class_of(reply: Reply) -> str:
    if reply.rcode == NXDOMAIN or (reply.rcode == 0 and not reply.answer):
        return "denial"
    return "error" if reply.rcode else "success"


def line(template: str, query: Query, reply: Reply, seconds: float) -> str:
    packet = encode(query, reply)
    flags = packet[2] << 8 | packet[3]
    host, port = query.client
    values = {
        "type": type_name(query.type),
        "name": names.to_text(query.key),
        "class": "IN" if query.class_ == 1 else f"CLASS{query.class_}",
        "proto": query.transport,
        "remote": f"[{host}]" if ":" in host else host,
        "port": str(port),
        "size": str(query.size),
        "rcode": RCODE_NAMES.get(reply.rcode, str(reply.rcode)),
        "rsize": str(len(packet)),
        "duration": f"{seconds:.9f}s",
        ">id": str(query.id),
        ">opcode": str(query.flags >> 11 & 0xF),
        ">do": str(query.dnssec_ok).lower(),
        ">bufsize": str(query.edns.size if query.edns else 512),
        ">rflags": ",".join(text for bit, text in _FLAGS if flags & bit),
    }
    return re.sub(r"\{(>?\w+)\}", lambda match: values.get(match[1], "-"), template)


def build(config: Config, next_: Serve, site: Site) -> Serve:
    return Log(config, next_).serve


PLUGIN = Plugin("log", parse, build, repeatable=True)
