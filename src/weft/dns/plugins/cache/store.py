"""The cache's entries: how long a reply may be kept, what it looks like later. Pure; the clock is an argument."""

from dataclasses import dataclass

import msgspec

from weft.dns.message.query import NXDOMAIN, SERVFAIL, Query
from weft.dns.message.records import OPT, SOA, Record, soa_minimum
from weft.dns.message.reply import Reply

Key = tuple[bytes, int, int, bool, bool]


def key_of(query: Query) -> Key:
    return query.key, query.type, query.class_, query.dnssec_ok, query.checking_disabled


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds for which entries of one kind are kept at least and at most, and how many there may be."""

    capacity: int = 9984
    most: int = 3600
    least: int = 5


@dataclass(frozen=True, slots=True)
class Entry:
    reply: Reply
    stored: float
    lifetime: float


def is_denial(reply: Reply) -> bool:
    """NXDOMAIN or NODATA (RFC 2308 section 2), with the SOA that says how long it holds."""
    return (reply.rcode == NXDOMAIN or (reply.rcode == 0 and not reply.answer)) and any(
        record.type == SOA for record in reply.authority
    )


def lifetime(reply: Reply, success: Limits, denial: Limits, servfail: float) -> float:
    """Seconds that the reply may be kept; 0: not at all."""
    if reply.truncated:
        return 0
    if is_denial(reply):
        soa = next(record for record in reply.authority if record.type == SOA)
        return _within(min(soa.ttl, soa_minimum(soa)), denial)
    if reply.rcode == 0 and reply.answer:
        return _within(min(record.ttl for record in reply.answer), success)
    return servfail if reply.rcode == SERVFAIL else 0


def _within(ttl: int, limits: Limits) -> float:
    return max(min(ttl, limits.most), limits.least)


def capped(reply: Reply, most: float) -> Reply:
    """The reply with no record living longer than `most` seconds."""
    limit = max(int(most), 0)
    if all(record.ttl <= limit for section in _sections(reply) for record in section):
        return reply
    answer, authority, additional = (
        tuple(
            record if record.ttl <= limit or record.type == OPT else msgspec.structs.replace(record, ttl=limit)
            for record in section
        )
        for section in _sections(reply)
    )
    return msgspec.structs.replace(reply, answer=answer, authority=authority, additional=additional)


def _sections(reply: Reply) -> tuple[tuple[Record, ...], ...]:
    return reply.answer, reply.authority, reply.additional


class Store:
    """Entries of one kind, the oldest given up first."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._entries: dict[Key, Entry] = {}
        self.evictions = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key, now: float) -> Entry | None:
        entry = self._entries.get(key)
        if entry is not None and now - entry.stored >= entry.lifetime:
            del self._entries[key]
            return None
        return entry

    def put(self, key: Key, entry: Entry) -> None:
        self._entries.pop(key, None)
        if len(self._entries) >= self._limits.capacity:
            del self._entries[next(iter(self._entries))]
            self.evictions += 1
        self._entries[key] = entry

    def drop(self, key: Key) -> None:
        self._entries.pop(key, None)
