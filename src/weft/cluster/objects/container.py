"""Container: a program of a pod, what it is given, how it is watched, and what became of it (core/v1).

Quantities (`requests`, `limits`) stay as written: a string, or a number where the author left the quotes off.
"""

from msgspec import field

from weft.cluster.objects.meta import Struct

Quantity = str | int | float
Port = int | str


class ObjectFieldSelector(Struct, frozen=True):
    field_path: str
    api_version: str = "v1"


class ResourceFieldSelector(Struct, frozen=True):
    resource: str
    container_name: str = ""
    divisor: Quantity | None = None


class KeySelector(Struct, frozen=True):
    """A key of a ConfigMap or of a Secret in the pod's namespace."""

    key: str
    name: str = ""
    optional: bool | None = None


class EnvVarSource(Struct, frozen=True):
    field_ref: ObjectFieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    config_map_key_ref: KeySelector | None = None
    secret_key_ref: KeySelector | None = None


class EnvVar(Struct, frozen=True):
    name: str
    value: str = ""
    value_from: EnvVarSource | None = None


class ObjectReference(Struct, frozen=True):
    """The name of a ConfigMap or of a Secret, and whether it may be missing."""

    name: str = ""
    optional: bool | None = None


class EnvFromSource(Struct, frozen=True):
    prefix: str = ""
    config_map_ref: ObjectReference | None = None
    secret_ref: ObjectReference | None = None


class ContainerPort(Struct, frozen=True):
    container_port: int
    name: str = ""
    protocol: str = "TCP"
    host_port: int = 0
    host_ip: str = field(default="", name="hostIP")


class ResourceRequirements(Struct, frozen=True):
    requests: dict[str, Quantity] | None = None
    limits: dict[str, Quantity] | None = None


class VolumeMount(Struct, frozen=True):
    name: str
    mount_path: str
    read_only: bool = False
    sub_path: str = ""
    sub_path_expr: str = ""
    mount_propagation: str | None = None


class HTTPHeader(Struct, frozen=True):
    name: str
    value: str = ""


class HTTPGetAction(Struct, frozen=True):
    port: Port
    path: str = ""
    host: str = ""
    scheme: str = "HTTP"
    http_headers: tuple[HTTPHeader, ...] | None = None


class TCPSocketAction(Struct, frozen=True):
    port: Port
    host: str = ""


class ExecAction(Struct, frozen=True):
    command: tuple[str, ...] | None = None


class GRPCAction(Struct, frozen=True):
    port: int
    service: str | None = None


class SleepAction(Struct, frozen=True):
    seconds: int = 0


class Probe(Struct, frozen=True):
    http_get: HTTPGetAction | None = None
    tcp_socket: TCPSocketAction | None = None
    exec: ExecAction | None = None
    grpc: GRPCAction | None = None
    initial_delay_seconds: int = 0
    timeout_seconds: int = 1
    period_seconds: int = 10
    success_threshold: int = 1
    failure_threshold: int = 3
    termination_grace_period_seconds: int | None = None


class LifecycleHandler(Struct, frozen=True):
    exec: ExecAction | None = None
    http_get: HTTPGetAction | None = None
    tcp_socket: TCPSocketAction | None = None
    sleep: SleepAction | None = None


class Lifecycle(Struct, frozen=True):
    post_start: LifecycleHandler | None = None
    pre_stop: LifecycleHandler | None = None
    stop_signal: str | None = None


class Capabilities(Struct, frozen=True):
    add: tuple[str, ...] | None = None
    drop: tuple[str, ...] | None = None


class SeccompProfile(Struct, frozen=True):
    type: str
    localhost_profile: str | None = None


class SELinuxOptions(Struct, frozen=True):
    user: str = ""
    role: str = ""
    type: str = ""
    level: str = ""


class SecurityContext(Struct, frozen=True):
    """Of a container; what it leaves unset, the pod's own decides."""

    capabilities: Capabilities | None = None
    privileged: bool | None = None
    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    read_only_root_filesystem: bool | None = None
    allow_privilege_escalation: bool | None = None
    proc_mount: str | None = None
    seccomp_profile: SeccompProfile | None = None
    se_linux_options: SELinuxOptions | None = None


class Container(Struct, frozen=True):
    name: str
    image: str = ""
    command: tuple[str, ...] | None = None
    args: tuple[str, ...] | None = None
    working_dir: str = ""
    ports: tuple[ContainerPort, ...] | None = None
    env: tuple[EnvVar, ...] | None = None
    env_from: tuple[EnvFromSource, ...] | None = None
    resources: ResourceRequirements = ResourceRequirements()
    volume_mounts: tuple[VolumeMount, ...] | None = None
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    startup_probe: Probe | None = None
    lifecycle: Lifecycle | None = None
    image_pull_policy: str = ""
    security_context: SecurityContext | None = None
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False
    termination_message_path: str = "/dev/termination-log"
    termination_message_policy: str = "File"
    restart_policy: str | None = None
    target_container_name: str = ""
    """Only of ephemeral containers: whose processes they share."""

    @property
    def is_sidecar(self) -> bool:
        """An init container that goes on running beside the others (KEP-753)."""
        return self.restart_policy == "Always"


class ContainerStateWaiting(Struct, frozen=True):
    reason: str = ""
    message: str = ""


class ContainerStateRunning(Struct, frozen=True):
    started_at: str | None = None


class ContainerStateTerminated(Struct, frozen=True):
    exit_code: int = 0
    signal: int = 0
    reason: str = ""
    message: str = ""
    started_at: str | None = None
    finished_at: str | None = None
    container_id: str = field(default="", name="containerID")


class ContainerState(Struct, frozen=True):
    waiting: ContainerStateWaiting | None = None
    running: ContainerStateRunning | None = None
    terminated: ContainerStateTerminated | None = None


class ContainerStatus(Struct, frozen=True):
    name: str
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()
    ready: bool = False
    restart_count: int = 0
    image: str = ""
    image_id: str = field(default="", name="imageID")
    container_id: str = field(default="", name="containerID")
    started: bool | None = None
