"""One Corefile, built: the plugins of its server blocks, joined, and what they need to run. Opens nothing."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from weft.dns.chain import HttpHandler, Plugin, Resolver, Serve, Site
from weft.dns.corefile import CorefileError, Directive, ServerBlock
from weft.dns.message.query import REFUSED, SERVFAIL, Query
from weft.dns.message.reply import Reply
from weft.dns.metrics import Metrics
from weft.dns.plugins import PLUGINS
from weft.dns.server.front import Chain

Address = tuple[str, int]
"""Host and port; no host means all addresses."""


@dataclass(slots=True)
class Instance:
    zones: dict[Address, dict[bytes, Chain]] = field(default_factory=dict)
    """What each address listens for."""
    sites: list[Site] = field(default_factory=list)

    @property
    def lameduck(self) -> float:
        return max((site.lameduck for site in self.sites), default=0.0)

    @property
    def reload_every(self) -> float:
        return min((site.reload_every for site in self.sites if site.reload_every), default=0.0)

    def routes(self, stopping: Callable[[], bool]) -> dict[Address, dict[str, HttpHandler]]:
        """The HTTP endpoints. Several `ready` on one address make one that waits for them all."""
        found: dict[Address, dict[str, HttpHandler]] = {}
        for site in self.sites:
            for address, handlers in site.http.items():
                found.setdefault(address, {}).update(handlers)
        missing: dict[Address, list[Callable[[], list[str]]]] = {}
        for site in self.sites:
            for address, check in site.readiness:
                missing.setdefault(address, []).append(check)
        for address, checks in missing.items():
            found.setdefault(address, {})["/ready"] = _ready(checks, stopping)
        return found


def _ready(checks: list[Callable[[], list[str]]], stopping: Callable[[], bool]) -> HttpHandler:
    def handler() -> tuple[int, str, bytes]:
        waiting = ["shutting down"] if stopping() else sorted({name for check in checks for name in check()})
        return (503 if waiting else 200), "text/plain; charset=utf-8", ",".join(waiting).encode() or b"OK"

    return handler


def build(
    blocks: Iterable[ServerBlock],
    resolver: Callable[[Address], Resolver],
    metrics: Metrics,
    sources: Any,
    plugins: tuple[Plugin, ...] = PLUGINS,
) -> Instance:
    """Raises CorefileError (or ValueError, for files that a plugin reads) that names what is wrong."""
    instance = Instance()
    for block in blocks:
        parsed = _parse(block, plugins)
        hosts: list[str] = [host for _, addresses in parsed.get("bind", ()) for host in addresses] or [""]
        for port in dict.fromkeys(port for _, port in block.zones):
            first = (hosts[0], port)
            site = Site(block, f"dns://:{port}", (hosts[0] or "127.0.0.1", port), resolver(first), metrics, sources)
            serve = _join(parsed, site, plugins)
            instance.sites.append(site)
            for host in hosts:
                taken = instance.zones.setdefault((host, port), {})
                for zone, zone_port in block.zones:
                    if zone_port == port:
                        taken[zone] = Chain(serve, site.zone_text, site.measured)
    return instance


def _parse(block: ServerBlock, plugins: tuple[Plugin, ...]) -> dict[str, list[tuple[Directive, Any]]]:
    known = {plugin.name: plugin for plugin in plugins}
    parsed: dict[str, list[tuple[Directive, Any]]] = {}
    for directive in block.directives:
        plugin = known.get(directive.name)
        if plugin is None:
            raise directive.error("there is no such plugin", f"use {', '.join(known)}")
        before = parsed.setdefault(directive.name, [])
        if before and not plugin.repeatable:
            raise directive.error(f"stands twice, first in line {before[0][0].line}", "keep one of the two")
        before.append((directive, plugin.parse(directive, block)))
    return parsed


def _join(parsed: dict[str, list[tuple[Directive, Any]]], site: Site, plugins: tuple[Plugin, ...]) -> Serve:
    serve: Serve = _refuse if not parsed else _end
    for plugin in reversed(plugins):
        for directive, config in reversed(parsed.get(plugin.name, [])):
            try:
                serve = plugin.build(config, serve, site)
            except CorefileError:
                raise
            except ValueError as error:
                where = f"{directive.file}:{directive.line}: "
                text = str(error)
                raise CorefileError(text if text.startswith(where) else f"{where}{directive.name}: {text}") from None
    return serve


def _end(query: Query) -> Reply:
    return Reply(SERVFAIL, error="no plugin of the server block answers this name (add forward, or fallthrough less)")


def _refuse(query: Query) -> Reply:
    return Reply(REFUSED)
