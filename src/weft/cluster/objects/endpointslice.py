"""EndpointSlice: up to 1,000 endpoints of one Service, in one address family (discovery.k8s.io/v1)."""

from msgspec import field

from weft.cluster.objects.meta import ObjectMeta, Struct

SERVICE_NAME_LABEL = "kubernetes.io/service-name"


class EndpointConditions(Struct, frozen=True):
    """Unset `ready` and `serving` count as true, unset `terminating` as false."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class ForZone(Struct, frozen=True):
    name: str


class ForNode(Struct, frozen=True):
    name: str


class EndpointHints(Struct, frozen=True):
    for_zones: tuple[ForZone, ...] | None = None
    for_nodes: tuple[ForNode, ...] | None = None


class TargetRef(Struct, frozen=True):
    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""


class Endpoint(Struct, frozen=True):
    addresses: tuple[str, ...]
    conditions: EndpointConditions = EndpointConditions()
    hostname: str = ""
    target_ref: TargetRef | None = None
    node_name: str = ""
    zone: str = ""
    hints: EndpointHints | None = None


class EndpointPort(Struct, frozen=True):
    name: str = ""
    protocol: str = "TCP"
    port: int | None = None
    app_protocol: str | None = None


class EndpointSlice(Struct, frozen=True):
    metadata: ObjectMeta
    address_type: str = field(default="IPv4", name="addressType")
    endpoints: tuple[Endpoint, ...] | None = None
    ports: tuple[EndpointPort, ...] | None = None

    @property
    def service_key(self) -> str:
        """`namespace/name` of the Service that this slice belongs to, or "" where it belongs to none."""
        name = (self.metadata.labels or {}).get(SERVICE_NAME_LABEL, "")
        return f"{self.metadata.namespace}/{name}" if name else ""
