"""Pod: containers that share a network, volumes and a fate (core/v1), with everything that Weft reads of one.

Absent lists and maps are None, so a pod without volumes costs nothing.
"""

from msgspec import field

from weft.cluster.objects.container import (
    Container,
    ContainerStatus,
    Quantity,
    ResourceRequirements,
    SeccompProfile,
    SELinuxOptions,
)
from weft.cluster.objects.meta import ObjectMeta, Struct
from weft.cluster.objects.volume import Volume

__all__ = ["Container", "ContainerStatus", "Pod", "PodCondition", "PodIP", "PodSpec", "PodStatus", "Volume"]


class Sysctl(Struct, frozen=True):
    name: str
    value: str


class PodSecurityContext(Struct, frozen=True):
    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    supplemental_groups: tuple[int, ...] | None = None
    fs_group: int | None = None
    fs_group_change_policy: str | None = None
    seccomp_profile: SeccompProfile | None = None
    se_linux_options: SELinuxOptions | None = None
    sysctls: tuple[Sysctl, ...] | None = None


class HostAlias(Struct, frozen=True):
    ip: str
    hostnames: tuple[str, ...] | None = None


class DNSOption(Struct, frozen=True):
    name: str = ""
    value: str | None = None


class PodDNSConfig(Struct, frozen=True):
    nameservers: tuple[str, ...] | None = None
    searches: tuple[str, ...] | None = None
    options: tuple[DNSOption, ...] | None = None


class Toleration(Struct, frozen=True):
    key: str = ""
    operator: str = ""
    value: str = ""
    effect: str = ""
    toleration_seconds: int | None = None


class ReadinessGate(Struct, frozen=True):
    condition_type: str


class SchedulingGate(Struct, frozen=True):
    name: str


class NodeSelectorRequirement(Struct, frozen=True):
    key: str
    operator: str
    values: tuple[str, ...] | None = None


class NodeSelectorTerm(Struct, frozen=True):
    match_expressions: tuple[NodeSelectorRequirement, ...] | None = None
    match_fields: tuple[NodeSelectorRequirement, ...] | None = None


class NodeSelector(Struct, frozen=True):
    node_selector_terms: tuple[NodeSelectorTerm, ...] = ()


class NodeAffinity(Struct, frozen=True):
    required: NodeSelector | None = field(default=None, name="requiredDuringSchedulingIgnoredDuringExecution")


class Affinity(Struct, frozen=True):
    node_affinity: NodeAffinity | None = None


class LocalObjectReference(Struct, frozen=True):
    name: str = ""


class PodSpec(Struct, frozen=True):
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] | None = None
    ephemeral_containers: tuple[Container, ...] | None = None
    volumes: tuple[Volume, ...] | None = None
    node_name: str = ""
    node_selector: dict[str, str] | None = None
    affinity: Affinity | None = None
    tolerations: tuple[Toleration, ...] | None = None
    scheduler_name: str = ""
    scheduling_gates: tuple[SchedulingGate, ...] | None = None
    priority: int | None = None
    overhead: dict[str, Quantity] | None = None
    restart_policy: str = "Always"
    termination_grace_period_seconds: int | None = None
    active_deadline_seconds: int | None = None
    dns_policy: str = "ClusterFirst"
    dns_config: PodDNSConfig | None = None
    hostname: str = ""
    subdomain: str = ""
    set_hostname_as_fqdn: bool | None = field(default=None, name="setHostnameAsFQDN")
    host_aliases: tuple[HostAlias, ...] | None = None
    host_network: bool = False
    host_pid: bool = field(default=False, name="hostPID")
    host_ipc: bool = field(default=False, name="hostIPC")
    share_process_namespace: bool | None = None
    security_context: PodSecurityContext | None = None
    service_account_name: str = ""
    automount_service_account_token: bool | None = None
    enable_service_links: bool | None = None
    readiness_gates: tuple[ReadinessGate, ...] | None = None
    image_pull_secrets: tuple[LocalObjectReference, ...] | None = None
    resources: ResourceRequirements | None = None


class PodIP(Struct, frozen=True):
    ip: str = ""


class PodCondition(Struct, frozen=True):
    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_probe_time: str | None = None
    last_transition_time: str | None = None
    observed_generation: int = 0


class PodStatus(Struct, frozen=True):
    phase: str = ""
    conditions: tuple[PodCondition, ...] | None = None
    reason: str = ""
    message: str = ""
    host_ip: str = field(default="", name="hostIP")
    host_ips: tuple[PodIP, ...] | None = field(default=None, name="hostIPs")
    pod_ip: str = field(default="", name="podIP")
    pod_ips: tuple[PodIP, ...] | None = field(default=None, name="podIPs")
    start_time: str | None = None
    qos_class: str = ""
    observed_generation: int = 0
    container_statuses: tuple[ContainerStatus, ...] | None = None
    init_container_statuses: tuple[ContainerStatus, ...] | None = None
    ephemeral_container_statuses: tuple[ContainerStatus, ...] | None = None


class Pod(Struct, frozen=True):
    metadata: ObjectMeta
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    @property
    def is_terminal(self) -> bool:
        """Nothing of it runs, nor ever will again ("Pod Lifecycle")."""
        return self.status.phase in ("Succeeded", "Failed")

    @property
    def is_deleting(self) -> bool:
        return self.metadata.deletion_timestamp is not None

    def addresses(self) -> tuple[str, ...]:
        """All of its addresses, the primary one first."""
        listed = tuple(entry.ip for entry in self.status.pod_ips or () if entry.ip)
        return listed or ((self.status.pod_ip,) if self.status.pod_ip else ())
