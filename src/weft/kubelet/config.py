"""The node agent's flags, named as the kubelet names them, and what they mean."""

import argparse
from dataclasses import dataclass, field
from pathlib import Path

from weft.addresses import parse_address


@dataclass(frozen=True, slots=True)
class Config:
    kubeconfig: str
    node_name: str
    node_addresses: tuple[str, ...]
    """The primary one first; at most one of each family."""
    runtime_endpoint: str
    root_dir: Path
    pod_log_dir: Path
    cluster_dns: tuple[str, ...] = ()
    cluster_domain: str = "cluster.local"
    resolv_conf: str = "/etc/resolv.conf"
    cgroup_root: str = "/"
    address: str = "0.0.0.0"
    port: int = 10250
    tls_cert_file: str = ""
    tls_private_key_file: str = ""
    client_ca_file: str = ""
    healthz_address: str = "127.0.0.1"
    healthz_port: int = 10248
    node_labels: dict[str, str] = field(default_factory=dict)
    register_with_taints: tuple[str, ...] = ()
    """`key=value:effect` each."""
    max_pods: int = 110
    capacity: dict[str, str] = field(default_factory=dict)
    """Replaces what the machine has: several nodes may share one."""
    system_reserved: dict[str, str] = field(default_factory=dict)
    status_update_seconds: float = 10.0
    status_report_seconds: float = 300.0
    sync_seconds: float = 30.0
    """How often mounted ConfigMaps, Secrets and tokens are read again."""
    log_max_bytes: int = 10 << 20
    log_max_files: int = 5

    @property
    def kubepods(self) -> str:
        """The control group of all pods."""
        return f"{self.cgroup_root.rstrip('/')}/kubepods"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--kubeconfig", default="", metavar="FILE", help="how to reach the API server")
    add("--node-name", "--hostname-override", dest="node_name", default="", help="name of the Node (default: hostname)")
    add("--node-ip", default="", metavar="A[,B]", help="addresses of this node, one per family, primary first")
    add("--container-runtime-endpoint", default="unix:///run/containerd/containerd.sock", metavar="unix://PATH")
    add("--root-dir", default="/var/lib/kubelet", metavar="DIR", help="where volumes and pods' own files lie")
    add("--pod-log-dir", "--pod-logs-dir", dest="pod_log_dir", default="/var/log/pods", metavar="DIR")
    add("--cluster-dns", default="", metavar="A[,B]", help="name servers of pods with dnsPolicy ClusterFirst")
    add("--cluster-domain", default="cluster.local", metavar="DOMAIN")
    add("--resolv-conf", default="/etc/resolv.conf", metavar="FILE", help='base of pods\' resolv.conf; "" for none')
    add("--cgroup-root", default="/", metavar="PATH", help="control group below which kubepods is made")
    add("--address", default="0.0.0.0", metavar="ADDRESS", help="where to serve logs, exec and port-forward")
    add("--port", type=int, default=10250)
    add("--tls-cert-file", default="", metavar="FILE")
    add("--tls-private-key-file", default="", metavar="FILE")
    add("--client-ca-file", default="", metavar="FILE", help="clients must show a certificate of this authority")
    add("--healthz-bind-address", default="127.0.0.1", metavar="ADDRESS")
    add("--healthz-port", type=int, default=10248, help="0: none")
    add("--node-labels", default="", metavar="K=V,…", help="labels to register with")
    add("--register-with-taints", default="", metavar="K=V:EFFECT,…")
    add("--max-pods", type=int, default=110)
    add("--capacity", default="", metavar="K=V,…", help="replaces what the machine has, e.g. cpu=2,memory=4Gi")
    add("--system-reserved", default="", metavar="K=V,…", help="what pods cannot have of it")
    add("--node-status-update-frequency", type=float, default=10.0, metavar="SECONDS")
    add(
        "--sync-frequency", type=float, default=30.0, metavar="SECONDS", help="how often volumes are brought up to date"
    )
    add("--dry-run", action="store_true", help="print what the node would run, without root, and end")


def from_arguments(args: argparse.Namespace, hostname: str) -> Config:
    """`hostname` names the node where no flag does. Raises ValueError with the flag and the remedy."""
    if not args.container_runtime_endpoint.startswith("unix://"):
        raise ValueError(
            f"--container-runtime-endpoint: {args.container_runtime_endpoint!r} must be unix:// and a socket's path"
        )
    certificate = (args.tls_cert_file, args.tls_private_key_file, args.client_ca_file)
    if any(certificate) and not all(certificate):
        raise ValueError("--tls-cert-file: needs --tls-private-key-file and --client-ca-file as well")
    return Config(
        kubeconfig=args.kubeconfig,
        node_name=(args.node_name or hostname).lower(),
        node_addresses=_addresses(args.node_ip, "--node-ip"),
        runtime_endpoint=args.container_runtime_endpoint,
        root_dir=Path(args.root_dir),
        pod_log_dir=Path(args.pod_log_dir),
        cluster_dns=_addresses(args.cluster_dns, "--cluster-dns"),
        cluster_domain=args.cluster_domain.rstrip("."),
        resolv_conf=args.resolv_conf,
        cgroup_root=args.cgroup_root,
        address=args.address,
        port=args.port,
        tls_cert_file=args.tls_cert_file,
        tls_private_key_file=args.tls_private_key_file,
        client_ca_file=args.client_ca_file,
        healthz_address=args.healthz_bind_address,
        healthz_port=args.healthz_port,
        node_labels=_pairs(args.node_labels, "--node-labels"),
        register_with_taints=tuple(filter(None, args.register_with_taints.split(","))),
        max_pods=args.max_pods,
        capacity=_pairs(args.capacity, "--capacity"),
        system_reserved=_pairs(args.system_reserved, "--system-reserved"),
        status_update_seconds=args.node_status_update_frequency,
        sync_seconds=args.sync_frequency,
    )


def _addresses(text: str, flag: str) -> tuple[str, ...]:
    found = [parse_address(part.strip(), flag) for part in text.split(",") if part.strip()]
    if flag == "--node-ip" and len({address.version for address in found}) != len(found):
        raise ValueError(f"{flag}: {text!r} must be one address, or one IPv4 and one IPv6 address")
    return tuple(str(address) for address in found)


def _pairs(text: str, flag: str) -> dict[str, str]:
    made = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        if not equals or not name:
            raise ValueError(f"{flag}: {part!r} must be NAME=VALUE")
        made[name.strip()] = value.strip()
    return made
