"""`loop`: asks itself one random name; seeing it come back more than twice means that forwarding goes in a circle."""

import asyncio
import logging
import secrets
import socket

from weft.dns.chain import Answer, Plugin, Serve, Site
from weft.dns.corefile import Directive, ServerBlock
from weft.dns.message import names
from weft.dns.message.query import Query
from weft.dns.message.records import HINFO
from weft.dns.message.upstream import ask

_log = logging.getLogger(__name__)
_FOR = 30.0
"""Seconds in which the probe is sent again until it gets an answer."""
_TOO_OFTEN = 2


def parse(directive: Directive, block: ServerBlock) -> None:
    directive.none()
    directive.no_block()


class Loop:
    def __init__(self, next_: Serve, site: Site, probe: bytes) -> None:
        self._next = next_
        self._site = site
        self._probe = probe
        self.seen = 0
        self.over = False

    def serve(self, query: Query) -> Answer:
        if not self.over and query.type == HINFO and query.key == self._probe:
            self.seen += 1
            if self.seen > _TOO_OFTEN:
                self.over = True
                self._site.resolver.fail(
                    f'loop: queries for zone "{self._site.zone_text}" that are forwarded come back '
                    "(let forward name servers that do not ask this one, not a loopback address)"
                )
        return self._next(query)

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _FOR
        host = self._site.address[0]
        while not self.over and loop.time() < deadline:
            with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.setblocking(False)
                try:
                    await loop.sock_connect(probe, self._site.address)
                    await loop.sock_sendall(probe, ask(secrets.randbelow(1 << 16), self._probe, HINFO))
                    await asyncio.wait_for(loop.sock_recv(probe, 512), 2)
                    self.over = True
                except (OSError, TimeoutError):
                    await asyncio.sleep(1)
        self.over = True


def build(config: None, next_: Serve, site: Site) -> Serve:
    label = [str(secrets.randbelow(1 << 62)).encode(), str(secrets.randbelow(1 << 62)).encode()]
    loop = Loop(next_, site, names.join(label, site.block.names[0]))
    site.background.append(loop.run)
    return loop.serve


PLUGIN = Plugin("loop", parse, build)
