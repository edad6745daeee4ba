"""`reload [INTERVAL] [JITTER]`: how often the server looks whether the Corefile has changed."""

from weft.dns.chain import Plugin, Serve, Site
from weft.dns.corefile import Directive, ServerBlock

DEFAULT = 2.0
"""Seconds. CoreDNS waits 30; reading a small file is cheap, and a reload here loses no query."""
_LEAST = 0.05


def parse(directive: Directive, block: ServerBlock) -> float:
    directive.no_block()
    if len(directive.args) > 2:
        raise directive.error(f"unexpected argument {directive.args[2]!r}", "write `reload [INTERVAL] [JITTER]`")
    durations = [directive.duration(text) for text in directive.args]
    if durations and durations[0] < _LEAST:
        raise directive.error(f"{directive.args[0]} is too short an interval", "give 50ms or more")
    # JITTER keeps many CoreDNS from stopping to answer at once; a reload here stops nothing, so it is only read.
    return durations[0] if durations else DEFAULT


def build(config: float, next_: Serve, site: Site) -> Serve:
    site.reload_every = config
    return next_


PLUGIN = Plugin("reload", parse, build)
