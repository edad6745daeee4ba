"""`prometheus [ADDRESS]`: the metrics on /metrics, and queries of this server block counted."""

from weft.dns.chain import Plugin, Serve, Site
from weft.dns.corefile import Directive, ServerBlock
from weft.dns.metrics import Metrics

_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def parse(directive: Directive, block: ServerBlock) -> tuple[str, int]:
    directive.no_block()
    return directive.listen_address(directive.one("[HOST]:PORT") if directive.args else "localhost:9153")


def build(config: tuple[str, int], next_: Serve, site: Site) -> Serve:
    metrics: Metrics = site.metrics
    site.measured = True
    site.serve_http(config, "/metrics", lambda: (200, _TYPE, metrics.expose()))
    return next_


PLUGIN = Plugin("prometheus", parse, build)
