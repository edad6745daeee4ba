"""How plugins are joined: each gets the next one and gives back a function from a query to its reply.

Most replies are there at once; only what must ask another server is a promise. Keeping the two apart lets a prepared
or computed answer leave without a task or a turn of the event loop.
"""

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from weft.dns.corefile import Directive, ServerBlock
from weft.dns.message import names
from weft.dns.message.query import Query
from weft.dns.message.reply import Reply
from weft.dns.metrics import Metrics

Answer = Reply | Awaitable[Reply]
Serve = Callable[[Query], Answer]
HttpHandler = Callable[[], tuple[int, str, bytes]]
"""Gives status, content type and body."""


def then(answer: Answer, finish: Callable[[Reply], Reply]) -> Answer:
    """`finish` of the reply, now or when it is there."""
    if isinstance(answer, Reply):
        return finish(answer)
    return _later(answer, finish)


async def _later(answer: Awaitable[Reply], finish: Callable[[Reply], Reply]) -> Reply:
    return finish(await answer)


def longest_match(key: bytes, zones: Iterable[bytes]) -> bytes | None:
    """The most specific of `zones` that the lower-case wire name `key` lies in."""
    best: bytes | None = None
    for zone in zones:
        if (best is None or len(zone) > len(best)) and names.is_within(key, zone):
            best = zone
    return best


class Resolver(Protocol):
    """What a plugin may ask of the server as a whole."""

    def resolve(self, query: Query) -> Answer:
        """Answers as if the query had come from outside, by the server block that its name belongs to."""
        ...

    def changed(self, tags: Iterable[str]) -> None:
        """Forgets prepared answers that depend on one of `tags`."""
        ...

    def changed_all(self) -> None: ...

    def fail(self, reason: str) -> None:
        """Ends the process: it must not go on (a forwarding loop)."""
        ...


@dataclass(slots=True)
class Site:
    """One server block while its plugins are built: what they know of it, and what they add to it."""

    block: ServerBlock
    server: str
    """The label `server` of the metrics: dns://:53."""
    address: tuple[str, int]
    """One address and port that it is reached at from this machine."""
    resolver: Resolver
    metrics: Metrics
    sources: Any
    """Keeps what outlives a reload: see `weft.dns.server.sources`."""
    background: list[Callable[[], Coroutine[Any, Any, None]]] = field(default_factory=list)
    """Run from the start of the server block until its end."""
    http: dict[tuple[str, int], dict[str, HttpHandler]] = field(default_factory=dict)
    ready: dict[str, Callable[[], bool]] = field(default_factory=dict)
    """Plugins that can say whether they are ready."""
    readiness: list[tuple[tuple[str, int], Callable[[], list[str]]]] = field(default_factory=list)
    """Addresses of readiness endpoints, and what is not ready yet."""
    measured: bool = False
    """The prometheus plugin is on."""
    lameduck: float = 0.0
    """Seconds to go on answering after the order to stop."""
    reload_every: float = 0.0
    """Seconds between two looks at the Corefile; 0: never."""

    @property
    def zone_text(self) -> str:
        return names.to_text(self.block.names[0])

    def serve_http(self, address: tuple[str, int], path: str, handler: HttpHandler) -> None:
        self.http.setdefault(address, {})[path] = handler


@dataclass(frozen=True, slots=True)
class Plugin:
    name: str
    parse: Callable[[Directive, ServerBlock], Any]
    """Directive → typed configuration. Pure; raises CorefileError."""
    build: Callable[[Any, Serve, Site], Serve]
    """Configuration and the next plugin → this one. Opens nothing; what runs goes to `Site.background`."""
    repeatable: bool = False
    """May stand more than once in a server block."""
