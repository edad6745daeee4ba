"""`bind ADDRESS…`: read by the server before its plugins are built."""

from weft.dns.chain import Plugin, Serve, Site
from weft.dns.corefile import Directive, ServerBlock


def parse(directive: Directive, block: ServerBlock) -> tuple[str, ...]:
    directive.no_block()
    return tuple(directive.ip(text) for text in directive.some("ADDRESS…"))


def build(config: tuple[str, ...], next_: Serve, site: Site) -> Serve:
    return next_


PLUGIN = Plugin("bind", parse, build)
