"""Query bytes → reply bytes for one address and port: reads, routes to the server block, encodes, counts, prepares."""

import logging
import time
from collections.abc import Awaitable
from dataclasses import dataclass

from weft.dns.chain import Answer, Serve
from weft.dns.message import names
from weft.dns.message.query import (
    BADVERS,
    RCODE_NAMES,
    REFUSED,
    SERVFAIL,
    Query,
    Rejected,
    Transport,
    read_query,
)
from weft.dns.message.records import IN, TYPE_NAMES
from weft.dns.message.reply import Reply, encode
from weft.dns.metrics import Metrics
from weft.dns.plugins.loadbalance.plugin import turned
from weft.dns.server.prepared import Entry, Prepared

_log = logging.getLogger(__name__)
_MOST_TURNS = 16
"""Orders of the addresses that are prepared for one question."""
_OPT_SIZE = 11


@dataclass(frozen=True, slots=True)
class Chain:
    """The plugins of one server block, behind one of its zones."""

    serve: Serve
    zone: str
    measured: bool


class Front:
    """`zones` is replaced as a whole by a reload."""

    def __init__(self, server: str, metrics: Metrics) -> None:
        self.zones: dict[bytes, Chain] = {}
        self.server = server
        self.tables: list[Prepared] = []
        self.fast_seconds = 0.0
        self.fast_count = 0
        """Time spent in answering from prepared answers, and how many."""
        self._metrics = metrics
        self._turn = 0

    def new_table(self) -> Prepared:
        table = Prepared(self.count)
        self.tables.append(table)
        return table

    def route(self, key: bytes) -> Chain | None:
        """The chain of the longest zone that the name lies in."""
        zones = self.zones
        index = 0
        while True:
            chain = zones.get(key[index:])
            if chain is not None or not key[index]:
                return chain
            index += 1 + key[index]

    def resolve(self, query: Query) -> Answer:
        chain = self.route(query.key)
        return Reply(REFUSED) if chain is None else self._ask(chain, query)

    def _ask(self, chain: Chain, query: Query) -> Answer:
        try:
            return chain.serve(query)
        except Exception:
            return self._failed(query)

    def _failed(self, query: Query) -> Reply:
        self._metrics.panics.add()
        _log.exception("cannot answer %s", names.to_text(query.name))
        return Reply(SERVFAIL)

    def handle(
        self, packet: bytes, transport: Transport, client: tuple[str, int], family: str, table: Prepared | None
    ) -> bytes | Awaitable[bytes]:
        """The bytes to send back, perhaps later; none where silence is the answer."""
        begun = time.perf_counter()
        try:
            query = read_query(packet, transport, client)
        except Rejected as rejected:
            return rejected.reply
        chain = self.route(query.key)
        if query.edns is not None and query.edns.version:
            answer: Answer = Reply(BADVERS)
        elif query.class_ != IN or chain is None:
            answer = Reply(REFUSED)
        else:
            answer = self._ask(chain, query)
        if isinstance(answer, Reply):
            return self._finish(packet, query, chain, answer, family, table, begun)
        return self._finish_later(packet, query, chain, answer, family, table, begun)

    async def _finish_later(
        self,
        packet: bytes,
        query: Query,
        chain: Chain | None,
        answer: Awaitable[Reply],
        family: str,
        table: Prepared | None,
        begun: float,
    ) -> bytes:
        try:
            reply = await answer
        except Exception:
            reply = self._failed(query)
        return self._finish(packet, query, chain, reply, family, table, begun)

    def _finish(
        self,
        packet: bytes,
        query: Query,
        chain: Chain | None,
        reply: Reply,
        family: str,
        table: Prepared | None,
        begun: float,
    ) -> bytes:
        if reply.rotate:
            self._turn += 1
            data = encode(query, turned(reply, self._turn))
        else:
            data = encode(query, reply)
        measured = chain is not None and chain.measured
        labels: tuple[str, ...] = ()
        if measured:
            assert chain is not None
            labels = (
                chain.zone,
                query.transport,
                family,
                TYPE_NAMES.get(query.type, "other"),
                RCODE_NAMES.get(reply.rcode, str(reply.rcode)),
                reply.by,
                "do" if query.dnssec_ok else "",
            )
            self._measure(labels, query.size, len(data), time.perf_counter() - begun, 1)
        if table is not None and reply.keep > 0 and _is_plain(packet, query):
            self._prepare(table, packet, query, reply, data, labels)
        return data

    def _prepare(
        self, table: Prepared, packet: bytes, query: Query, reply: Reply, data: bytes, labels: tuple[str, ...]
    ) -> None:
        bodies = [data[2:]]
        if reply.rotate:
            turns = min(len(reply.answer), _MOST_TURNS)
            bodies = [encode(query, turned(reply, self._turn + 1 + turn))[2:] for turn in range(turns)]
        until = time.monotonic() + reply.keep
        table.put(packet[2:], Entry(bodies, until, reply.tags, labels, len(packet)))

    def count(self, entry: Entry) -> None:
        """Adds what a prepared answer has served to the metrics; the time of one is the mean of all."""
        if entry.times and entry.labels:
            mean = self.fast_seconds / self.fast_count if self.fast_count else 0.0
            self._measure(entry.labels, entry.asked, entry.said, mean, entry.times)

    def count_all(self) -> None:
        for table in self.tables:
            table.count_all()

    def _measure(self, labels: tuple[str, ...], asked: int, said: int, seconds: float, times: int) -> None:
        zone, transport, family, type_, rcode, by, dnssec = labels
        metrics, server = self._metrics, self.server
        metrics.requests.add(server, zone, "", transport, family, type_, by=times)
        metrics.responses.add(server, zone, "", rcode, by, by=times)
        metrics.durations.observe(seconds, server, zone, "", times=times)
        metrics.request_sizes.observe(asked, server, zone, "", transport, times=times)
        metrics.response_sizes.observe(said, server, zone, "", transport, times=times)
        if dnssec:
            metrics.dnssec_requests.add(server, zone, "", by=times)


def _is_plain(packet: bytes, query: Query) -> bool:
    """Nothing in it changes from one client to the next (as a cookie would)."""
    return len(packet) == 16 + len(query.name) + (_OPT_SIZE if query.edns else 0)
