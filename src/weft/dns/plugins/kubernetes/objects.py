"""The few fields of the API objects that DNS needs; everything else is dropped while decoding (10,000 Services)."""

from msgspec import field

from weft.cluster.objects.meta import Struct


class Meta(Struct, frozen=True):
    name: str
    namespace: str = ""
    deletion_timestamp: str | None = None

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class Port(Struct, frozen=True):
    port: int | None = None
    name: str = ""
    protocol: str = ""


class ServiceSpec(Struct, frozen=True):
    type: str = "ClusterIP"
    cluster_ip: str = field(default="", name="clusterIP")
    cluster_ips: tuple[str, ...] = field(default=(), name="clusterIPs")
    external_name: str = ""
    ports: tuple[Port, ...] | None = None


class Service(Struct, frozen=True):
    metadata: Meta
    spec: ServiceSpec = ServiceSpec()

    @property
    def addresses(self) -> tuple[str, ...]:
        return self.spec.cluster_ips or (self.spec.cluster_ip,)

    @property
    def headless(self) -> bool:
        return self.addresses[0] == "None"


class SliceLabels(Struct, frozen=True):
    service: str = field(default="", name="kubernetes.io/service-name")


class SliceMeta(Struct, frozen=True):
    name: str
    namespace: str = ""
    labels: SliceLabels | None = None

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"


class Conditions(Struct, frozen=True):
    ready: bool | None = None


class Target(Struct, frozen=True):
    name: str = ""


class Endpoint(Struct, frozen=True):
    addresses: tuple[str, ...]
    conditions: Conditions | None = None
    hostname: str | None = None


class NamedEndpoint(Endpoint, frozen=True):
    """With the pod's name, which only `endpoint_pod_names` reads."""

    target_ref: Target | None = None


class EndpointSlice(Struct, frozen=True):
    metadata: SliceMeta
    endpoints: tuple[Endpoint, ...] | None = None
    ports: tuple[Port, ...] | None = None


class NamedEndpointSlice(EndpointSlice, frozen=True):
    endpoints: tuple[NamedEndpoint, ...] | None = None


class Namespace(Struct, frozen=True):
    metadata: Meta


class PodAddress(Struct, frozen=True):
    ip: str = ""


class PodStatus(Struct, frozen=True):
    pod_ips: tuple[PodAddress, ...] | None = field(default=None, name="podIPs")


class Pod(Struct, frozen=True):
    metadata: Meta
    status: PodStatus = PodStatus()
