"""Which upstream is asked, and what happens when it does not answer."""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Sequence

from weft.dns.chain import Answer, Plugin, Serve, Site, longest_match
from weft.dns.message import names
from weft.dns.message.query import RCODE_NAMES, REFUSED, SERVFAIL, Query
from weft.dns.message.reply import Reply
from weft.dns.message.upstream import Message
from weft.dns.metrics import DURATIONS
from weft.dns.plugins.forward.exchange import NoReply, Upstream
from weft.dns.plugins.forward.setup import Config, endpoints, parse

_log = logging.getLogger(__name__)
_DEADLINE = 5.0
"""Seconds in which one upstream after the other is tried; as CoreDNS."""


class Forward:
    def __init__(self, config: Config, upstreams: Sequence[Upstream], next_: Serve, site: Site) -> None:
        self._config = config
        self._upstreams = list(upstreams)
        self._next = next_
        self._turn = 0
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._checks: dict[Upstream, asyncio.Task[None]] = {}
        metrics = site.metrics
        self._broken = metrics.counter(
            "coredns_forward_healthcheck_broken_total", "Times that all upstreams were down and one was tried anyway."
        )
        self._rejected = metrics.counter(
            "coredns_forward_max_concurrent_rejects_total", "Queries rejected because too many were under way."
        )
        self._failures = metrics.counter(
            "coredns_proxy_healthcheck_failures_total", "Failed health checks.", ("proxy_name", "to")
        )
        self._seconds = metrics.histogram(
            "coredns_proxy_request_duration_seconds",
            "Time each request to an upstream took.",
            ("proxy_name", "to", "rcode"),
            DURATIONS,
        )

    def serve(self, query: Query) -> Answer:
        if not names.is_within(query.key, self._config.zone) or (
            self._config.except_ and longest_match(query.key, self._config.except_) is not None
        ):
            return self._next(query)
        if 0 < self._config.max_concurrent <= self._running:
            self._rejected.add()
            return Reply(REFUSED, by="forward", error="too many queries are being forwarded (raise max_concurrent)")
        return self._ask(query)

    def _ask(self, query: Query) -> Awaitable[Reply]:
        self._running += 1
        self._idle.clear()
        return self._counted(query)

    async def _counted(self, query: Query) -> Reply:
        try:
            return await self._try_all(query)
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()

    async def _try_all(self, query: Query) -> Reply:
        deadline = time.monotonic() + _DEADLINE
        error = ""
        tries = 0
        order = self._order()
        while tries < 2 * len(order) and time.monotonic() < deadline:
            upstream = order[tries % len(order)]
            tries += 1
            if self._down(upstream):
                if not all(map(self._down, order)):
                    continue
                self._broken.add()
                upstream = random.choice(order)
            begun = time.perf_counter()
            try:
                message = await upstream.exchange(query)
            except NoReply as reason:
                error = f"{upstream}: {reason}"
                self._check(upstream)
                continue
            rcode = RCODE_NAMES.get(message.rcode, str(message.rcode))
            self._seconds.observe(time.perf_counter() - begun, "forward", str(upstream), rcode)
            return _reply(message)
        return Reply(SERVFAIL, by="forward", error=error or "there is no upstream")

    def _order(self) -> list[Upstream]:
        all_ = self._upstreams
        if self._config.policy == "sequential" or len(all_) < 2:
            return all_
        if self._config.policy == "random":
            return random.sample(all_, len(all_))
        self._turn = (self._turn + 1) % len(all_)
        return all_[self._turn :] + all_[: self._turn]

    def _down(self, upstream: Upstream) -> bool:
        return 0 < self._config.max_fails <= upstream.fails

    def _check(self, upstream: Upstream) -> None:
        """After a failed query: looks whether the upstream is alive, until it is."""
        if self._config.max_fails and upstream not in self._checks:
            self._checks[upstream] = asyncio.ensure_future(self._watch_health(upstream))

    async def _watch_health(self, upstream: Upstream) -> None:
        try:
            while not await upstream.alive(self._config.health_name, self._config.health_recursion):
                upstream.fails += 1
                self._failures.add("forward", str(upstream))
                await asyncio.sleep(self._config.health_every)
            upstream.fails = 0
        finally:
            self._checks.pop(upstream, None)

    async def run(self) -> None:
        """Does nothing until the server block ends, then closes what was opened for it."""
        try:
            await asyncio.Event().wait()
        finally:
            # A reload must not lose the questions that are under way.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), _DEADLINE)
            for task in list(self._checks.values()):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            for upstream in self._upstreams:
                upstream.close()


def _reply(message: Message) -> Reply:
    return Reply(
        message.rcode,
        message.answer,
        message.authority,
        message.additional,
        authoritative=bool(message.flags & 0x0400),
        recursion_available=bool(message.flags & 0x0080),
        authentic_data=bool(message.flags & 0x0020),
        truncated=message.truncated,
        by="forward",
    )


def build(config: Config, next_: Serve, site: Site) -> Serve:
    addresses = endpoints(config)
    if not addresses:
        # The names of the cluster must go on without the world outside.
        _log.warning("%s: forward: %s names no nameserver, so SERVFAIL is the answer", config.where, config.to[0])
    upstreams = [Upstream(address, expire=config.expire, force_tcp=config.force_tcp) for address in addresses]
    forward = Forward(config, upstreams, next_, site)
    site.background.append(forward.run)
    return forward.serve


PLUGIN = Plugin("forward", parse, build, repeatable=True)
