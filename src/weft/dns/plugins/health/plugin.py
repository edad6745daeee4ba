"""`health [ADDRESS] { lameduck DURATION }`: 200 OK on /health while the process lives."""

from dataclasses import dataclass

from weft.dns.chain import Plugin, Serve, Site
from weft.dns.corefile import Directive, ServerBlock


@dataclass(frozen=True, slots=True)
class Config:
    address: tuple[str, int]
    lameduck: float = 0.0


def parse(directive: Directive, block: ServerBlock) -> Config:
    address = directive.listen_address(directive.one("[HOST]:PORT") if directive.args else ":8080")
    lameduck = 0.0
    for item in directive.block:
        if item.name != "lameduck":
            raise item.unknown(("lameduck",))
        lameduck = item.duration(item.one("DURATION"))
    return Config(address, lameduck)


def build(config: Config, next_: Serve, site: Site) -> Serve:
    site.lameduck = config.lameduck
    site.serve_http(config.address, "/health", lambda: (200, "text/plain; charset=utf-8", b"OK"))
    return next_


PLUGIN = Plugin("health", parse, build)
