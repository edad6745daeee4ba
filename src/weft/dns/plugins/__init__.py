"""The plugins, in the order in which a query meets them. This list is the only place that knows them all."""

from weft.dns.chain import Plugin
from weft.dns.plugins.bind.plugin import PLUGIN as BIND
from weft.dns.plugins.cache.plugin import PLUGIN as CACHE
from weft.dns.plugins.errors.plugin import PLUGIN as ERRORS
from weft.dns.plugins.forward.plugin import PLUGIN as FORWARD
from weft.dns.plugins.health.plugin import PLUGIN as HEALTH
from weft.dns.plugins.hosts.plugin import PLUGIN as HOSTS
from weft.dns.plugins.kubernetes.plugin import PLUGIN as KUBERNETES
from weft.dns.plugins.loadbalance.plugin import PLUGIN as LOADBALANCE
from weft.dns.plugins.log.plugin import PLUGIN as LOG
from weft.dns.plugins.loop.plugin import PLUGIN as LOOP
from weft.dns.plugins.prometheus.plugin import PLUGIN as PROMETHEUS
from weft.dns.plugins.ready.plugin import PLUGIN as READY
from weft.dns.plugins.reload.plugin import PLUGIN as RELOAD

PLUGINS: tuple[Plugin, ...] = (
    RELOAD,
    BIND,
    READY,
    HEALTH,
    PROMETHEUS,
    ERRORS,
    LOG,
    LOADBALANCE,
    CACHE,
    HOSTS,
    KUBERNETES,
    LOOP,
    FORWARD,
)
