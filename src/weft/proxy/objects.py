"""EndpointSlices as the proxy reads them: of 100,000 endpoints every field kept costs ten megabytes on each node."""

from msgspec import field

from weft.cluster.objects.endpointslice import SERVICE_NAME_LABEL, EndpointConditions, EndpointHints, EndpointPort
from weft.cluster.objects.meta import Struct


class SliceMeta(Struct, frozen=True):
    name: str = ""
    namespace: str = ""
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"


class SliceEndpoint(Struct, frozen=True):
    addresses: tuple[str, ...]
    conditions: EndpointConditions = EndpointConditions()
    node_name: str = ""
    hints: EndpointHints | None = None


class EndpointSlice(Struct, frozen=True):
    metadata: SliceMeta
    address_type: str = field(default="IPv4", name="addressType")
    endpoints: tuple[SliceEndpoint, ...] | None = None
    ports: tuple[EndpointPort, ...] | None = None

    @property
    def service_key(self) -> str:
        """`namespace/name` of the Service that this slice belongs to, or "" where it belongs to none."""
        name = (self.metadata.labels or {}).get(SERVICE_NAME_LABEL, "")
        return f"{self.metadata.namespace}/{name}" if name else ""
