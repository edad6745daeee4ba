"""`errors`: one line per failed query, repeated ones counted instead of written again."""

import logging
import time
from collections.abc import Callable

from weft.dns.chain import Answer, Plugin, Serve, Site, then
from weft.dns.corefile import Directive, ServerBlock
from weft.dns.message import names
from weft.dns.message.query import RCODE_NAMES, Query
from weft.dns.message.records import type_name
from weft.dns.message.reply import Reply

_log = logging.getLogger(__name__)
_QUIET = 1.0
"""Seconds in which the same error is written once: an upstream that is down must not fill the disk."""


def parse(directive: Directive, block: ServerBlock) -> None:
    directive.none()
    directive.no_block()


class Errors:
    def __init__(self, next_: Serve, clock: Callable[[], float] = time.monotonic) -> None:
        self._next = next_
        self._clock = clock
        self._last: dict[str, tuple[float, int]] = {}

    def serve(self, query: Query) -> Answer:
        return then(self._next(query), lambda reply: self._look(query, reply))

    def _look(self, query: Query, reply: Reply) -> Reply:
        if reply.error:
            self._write(query, reply)
        return reply

    def _write(self, query: Query, reply: Reply) -> None:
        now = self._clock()
        since, left_out = self._last.get(reply.error, (float("-inf"), 0))
        if now - since < _QUIET:
            self._last[reply.error] = (since, left_out + 1)
            return
        if len(self._last) > 100:
            self._last.clear()
        self._last[reply.error] = (now, 0)
        more = f" ({left_out} more)" if left_out else ""
        rcode = RCODE_NAMES.get(reply.rcode, str(reply.rcode))
        _log.error("%s %s %s: %s%s", rcode, names.to_text(query.name), type_name(query.type), reply.error, more)


def build(config: None, next_: Serve, site: Site) -> Serve:
    return Errors(next_).serve


PLUGIN = Plugin("errors", parse, build)
