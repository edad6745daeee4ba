"""Joins the plugin to its server block."""

from weft.dns.chain import Plugin, Serve, Site
from weft.dns.plugins.kubernetes.handler import Kubernetes
from weft.dns.plugins.kubernetes.setup import Config, parse


def build(config: Config, next_: Serve, site: Site) -> Serve:
    watches = site.sources.watches(config)
    site.ready["kubernetes"] = watches.synced
    return Kubernetes(config, watches, next_, site.resolver).serve


PLUGIN = Plugin("kubernetes", parse, build)
