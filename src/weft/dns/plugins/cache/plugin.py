"""`cache [TTL] [ZONES…] { success · denial · servfail }`."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec

from weft.dns.chain import Answer, Plugin, Serve, Site, longest_match
from weft.dns.corefile import Directive, ServerBlock
from weft.dns.message import names
from weft.dns.message.query import Query
from weft.dns.message.reply import Reply
from weft.dns.plugins.cache.store import Entry, Key, Limits, Store, capped, is_denial, key_of, lifetime

_SUCCESS, _DENIAL = Limits(most=3600), Limits(most=1800)
PROPERTIES = ("success", "denial", "servfail")
_SAME_TTL = 1.0
"""Seconds for which prepared bytes of a kept reply are right: until its TTL counts down by one."""


@dataclass(frozen=True, slots=True)
class Config:
    zones: tuple[bytes, ...]
    success: Limits = _SUCCESS
    denial: Limits = _DENIAL
    servfail: float = 5.0


def parse(directive: Directive, block: ServerBlock) -> Config:
    args = list(directive.args)
    success, denial, servfail = _SUCCESS, _DENIAL, 5.0
    if args and args[0].isdigit():
        most = directive.integer(args.pop(0), 1, 86400)
        success, denial = (replace(limits, most=most, least=min(limits.least, most)) for limits in (success, denial))
    for item in directive.block:
        match item.name:
            case "success":
                success = _limits(item, success)
            case "denial":
                denial = _limits(item, denial)
            case "servfail":
                servfail = item.duration(item.one("DURATION"))
                if servfail > 300:
                    raise item.error(f"{item.args[0]} is too long", "give 5m or less")
            case _:
                raise item.unknown(PROPERTIES)
    return Config(directive.zones(args) or block.names, success, denial, servfail)


def _limits(item: Directive, limits: Limits) -> Limits:
    if len(item.some("CAPACITY [TTL] [MINTTL]")) > 3:
        raise item.error(f"unexpected argument {item.args[3]!r}", f"write `{item.name} CAPACITY [TTL] [MINTTL]`")
    capacity = item.integer(item.args[0], 0, 10_000_000)
    most = item.integer(item.args[1], 1, 86400) if len(item.args) > 1 else limits.most
    least = item.integer(item.args[2], 0, most) if len(item.args) > 2 else min(limits.least, most)
    return Limits(max(capacity, 1024), most, least)


class Cache:
    """Only what others answered is kept: what a plugin holds as true by itself is neither older nor slower."""

    def __init__(self, config: Config, next_: Serve, site: Site, clock: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._next = next_
        self._clock = clock
        self._success, self._denial = Store(config.success), Store(config.denial)
        self._asked: dict[Key, asyncio.Future[Reply]] = {}
        labels = ("server", "type", "zones", "view")
        zones = ",".join(names.to_text(zone) for zone in config.zones)
        self._labels = (site.server, zones, "")
        metrics = site.metrics
        self._hits = metrics.counter("coredns_cache_hits_total", "The count of cache hits.", labels)
        self._requests = metrics.counter(
            "coredns_cache_requests_total", "The count of cache requests.", ("server", "zones", "view")
        )
        self._misses = metrics.counter(
            "coredns_cache_misses_total", "The count of cache misses.", ("server", "zones", "view")
        )
        self._entries = metrics.gauge("coredns_cache_entries", "The number of elements in the cache.", labels)
        self._evictions = metrics.counter("coredns_cache_evictions_total", "The count of cache evictions.", labels)

    def serve(self, query: Query) -> Answer:
        if longest_match(query.key, self._config.zones) is None:
            return self._next(query)
        key, now = key_of(query), self._clock()
        server, zones, view = self._labels
        for kind, store in (("success", self._success), ("denial", self._denial)):
            if entry := store.get(key, now):
                self._requests.add(server, zones, view)
                self._hits.add(server, kind, zones, view)
                return _aged(entry, now)
        if waiting := self._asked.get(key):
            return _same(waiting)
        answer = self._next(query)
        if isinstance(answer, Reply):
            return self._keep(key, answer)
        self._requests.add(server, zones, view)
        self._misses.add(server, zones, view)
        promise = asyncio.ensure_future(answer)
        self._asked[key] = promise
        promise.add_done_callback(lambda _: self._asked.pop(key, None))
        return self._later(key, promise)

    async def _later(self, key: Key, promise: asyncio.Future[Reply]) -> Reply:
        # Others may wait for the same promise, so one that goes away must not end it.
        return self._keep(key, await asyncio.shield(promise))

    def _keep(self, key: Key, reply: Reply) -> Reply:
        limits = self._config.denial if is_denial(reply) else self._config.success
        if reply.live:
            return capped(reply, limits.most)
        seconds = lifetime(reply, self._config.success, self._config.denial, self._config.servfail)
        if seconds <= 0:
            return reply
        entry = Entry(reply, self._clock(), seconds)
        kind, store, other = (
            ("success", self._success, self._denial)
            if reply.rcode == 0 and reply.answer
            else ("denial", self._denial, self._success)
        )
        before = store.evictions
        store.put(key, entry)
        other.drop(key)
        server, zones, view = self._labels
        self._entries.set(server, kind, zones, view, to=len(store))
        if store.evictions > before:
            self._evictions.add(server, kind, zones, view)
        return _aged(entry, entry.stored)


async def _same(promise: asyncio.Future[Reply]) -> Reply:
    return await asyncio.shield(promise)


def _aged(entry: Entry, now: float) -> Reply:
    """The reply as it is now: TTLs counted down, its bytes good for as long as they say the same."""
    age = now - entry.stored
    left = entry.lifetime - age
    reply = entry.reply
    if age >= 1 or any(record.ttl > left for record in reply.answer):
        reply = capped(_older(reply, int(age)), left)
    return msgspec.structs.replace(reply, keep=min(_SAME_TTL, left), error="")


def _older(reply: Reply, seconds: int) -> Reply:
    answer, authority, additional = (
        tuple(msgspec.structs.replace(record, ttl=max(record.ttl - seconds, 0)) for record in section)
        for section in (reply.answer, reply.authority, reply.additional)
    )
    return msgspec.structs.replace(reply, answer=answer, authority=authority, additional=additional)


def build(config: Config, next_: Serve, site: Site) -> Serve:
    return Cache(config, next_, site).serve


PLUGIN = Plugin("cache", parse, build)
