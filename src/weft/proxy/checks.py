"""What the health-check port of a Service answers on this node (healthCheckNodePort; KEP-1669). Pure.

A load balancer asks it of every node, and sends calls only to nodes that answer 200: those with a ready endpoint. While
a node has only terminating endpoints they still serve, but no new calls should come.
"""

from collections.abc import Iterable
from typing import NamedTuple

from weft.cluster.objects.service import Service
from weft.proxy.model import is_proxied
from weft.proxy.objects import EndpointSlice


class Check(NamedTuple):
    """One Service's port and what is asked of it."""

    port: int
    namespace: str
    name: str
    endpoints: int
    """Ready endpoints on this node, each address once."""

    def body(self, healthy: bool) -> dict[str, object]:
        service = {"namespace": self.namespace, "name": self.name}
        return {"service": service, "localEndpoints": self.endpoints, "serviceProxyHealthy": healthy}


def wants_check(service: Service) -> bool:
    spec = service.spec
    return (
        spec.type == "LoadBalancer"
        and spec.external_traffic_policy == "Local"
        and 0 < spec.health_check_node_port < 65536
        and is_proxied(service)
    )


def check(service: Service, slices: Iterable[EndpointSlice], node: str) -> Check | None:
    """None where the Service has no such port."""
    if not wants_check(service):
        return None
    ready = {
        listed.addresses[:1]
        for one in slices
        for listed in one.endpoints or ()
        if listed.node_name == node and listed.addresses and listed.conditions.ready is not False
    }
    meta = service.metadata
    return Check(service.spec.health_check_node_port, meta.namespace, meta.name, len(ready))
