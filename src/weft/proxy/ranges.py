"""Which ranges Services have their addresses in (KEP-1880), so that calls of unassigned ones are dropped at once."""

import asyncio
import logging
from collections.abc import Callable

from weft.addresses import Prefix, parse_prefix
from weft.cluster.errors import ApiError
from weft.cluster.objects.meta import ObjectMeta, Struct
from weft.cluster.objects.resource import Resource
from weft.cluster.port import Cluster
from weft.cluster.reflector import Reflector

_log = logging.getLogger(__name__)
SERVICE_CIDRS = Resource("networking.k8s.io", "v1", "servicecidrs", "ServiceCIDR", namespaced=False)
OnRanges = Callable[[tuple[Prefix, ...]], None]
_AGAIN = 300.0


class ServiceCIDRSpec(Struct, frozen=True):
    cidrs: tuple[str, ...] = ()


class ServiceCIDR(Struct, frozen=True):
    metadata: ObjectMeta
    spec: ServiceCIDRSpec = ServiceCIDRSpec()


class ServiceRanges:
    """Follows the ServiceCIDRs, where the server has them and lets us read them; `fixed` ones hold in any case."""

    def __init__(self, cluster: Cluster, fixed: tuple[Prefix, ...], on_change: OnRanges) -> None:
        self._cluster = cluster
        self._fixed = fixed
        self._tell = on_change
        self._reflector = Reflector(cluster, SERVICE_CIDRS, ServiceCIDR, self._on_change)

    async def run(self) -> None:
        while True:
            try:
                await self._cluster.list(SERVICE_CIDRS, as_=ServiceCIDR, limit=1)
                break
            except ApiError as error:
                _log.debug("no ServiceCIDRs: %s", error)
                await asyncio.sleep(_AGAIN)
        await self._reflector.run()

    def _on_change(self, *_: object) -> None:
        found = set(self._fixed)
        for one in self._reflector.objects.values():
            for text in one.spec.cidrs:
                try:
                    found.add(parse_prefix(text))
                except ValueError as error:
                    _log.warning("ServiceCIDR %s: %s", one.metadata.name, error)
        self._tell(tuple(sorted(found, key=str)))
