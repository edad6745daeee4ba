"""What the runtime holds, as values: sandboxes and containers, each with the labels that say whose they are."""

from dataclasses import dataclass, field
from typing import Literal

POD_NAME = "io.kubernetes.pod.name"
POD_NAMESPACE = "io.kubernetes.pod.namespace"
POD_UID = "io.kubernetes.pod.uid"
CONTAINER_NAME = "io.kubernetes.container.name"
CONTAINER_HASH = "io.kubernetes.container.hash"
RESTART_COUNT = "io.kubernetes.container.restartCount"
TERMINATION_PATH = "io.kubernetes.container.terminationMessagePath"
TERMINATION_POLICY = "io.kubernetes.container.terminationMessagePolicy"
GRACE_PERIOD = "io.kubernetes.pod.terminationGracePeriod"

ContainerPhase = Literal["created", "running", "exited", "unknown"]


@dataclass(frozen=True, slots=True)
class PodKey:
    """Whose a sandbox or container is; `str()` as the kubelet writes pods in messages: `web_default(UID)`."""

    namespace: str
    name: str
    uid: str

    def __str__(self) -> str:
        return f"{self.name}_{self.namespace}({self.uid})"


@dataclass(frozen=True, slots=True)
class Sandbox:
    """One pod sandbox: the namespaces that a pod's containers share. Times are Unix seconds."""

    id: str
    pod: PodKey
    attempt: int
    ready: bool
    created_at: float
    host_network: bool = False
    addresses: tuple[str, ...] = ()
    """The pod's addresses, primary first; none of a sandbox in the node's own network."""


@dataclass(frozen=True, slots=True)
class ContainerRecord:
    """One attempt at running a container. Times are Unix seconds, 0 where it has not happened."""

    id: str
    pod: PodKey
    name: str
    attempt: int
    phase: ContainerPhase
    sandbox_id: str = ""
    created_at: float = 0.0
    started_at: float = 0.0
    finished_at: float = 0.0
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    image: str = ""
    image_ref: str = ""
    hash: str = ""
    log_path: str = ""
    annotations: dict[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class PodRecord:
    """All of one pod that the runtime knows, the newest first."""

    sandboxes: tuple[Sandbox, ...] = ()
    containers: tuple[ContainerRecord, ...] = ()

    @property
    def sandbox(self) -> Sandbox | None:
        """The newest sandbox, ready or not."""
        return self.sandboxes[0] if self.sandboxes else None

    def latest(self, name: str) -> ContainerRecord | None:
        return next((c for c in self.containers if c.name == name), None)

    def running(self) -> tuple[ContainerRecord, ...]:
        return tuple(c for c in self.containers if c.phase == "running")


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """An image on this node: what containers are made of, and as whom they run by default."""

    id: str
    reference: str
    """The digest by which it is known (`docker.io/library/nginx@sha256:…`), or its id where it has none."""
    names: tuple[str, ...] = ()
    """Tags and digests."""
    size: int = 0
    uid: int | None = None
    username: str = ""


@dataclass(frozen=True, slots=True)
class RuntimeCondition:
    """`RuntimeReady` or `NetworkReady` as the runtime tells it."""

    ready: bool
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class RuntimeStatus:
    runtime: RuntimeCondition
    network: RuntimeCondition


@dataclass(frozen=True, slots=True)
class ExecResult:
    stdout: bytes
    stderr: bytes
    exit_code: int


class RuntimeFault(Exception):
    """A call that the runtime refused. `str()` reads as gRPC errors read in Kubernetes' events."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"rpc error: code = {code} desc = {message}")
        self.code = code
        """gRPC's name of the code, such as `NotFound` or `DeadlineExceeded`."""
        self.message = message
