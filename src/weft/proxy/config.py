"""Flags, and the KubeProxyConfiguration file (kubeproxy.config.k8s.io/v1alpha1). Flags that are given win over it.

Both are kube-proxy's; what makes no sense here (conntrack sizes, process limits, feature gates) is accepted in the file
and left alone, so that a cluster's own file can be used as it is.
"""

import argparse
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from weft.addresses import Prefix, overlapping, parse_address, parse_prefix, parse_prefixes

MODES = ("nftables", "iptables", "ebpf", "userspace")
LATER = ("ipvs",)
_BPF_DIRECTORY = "/run/weft-proxy"
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?")


@dataclass(frozen=True, slots=True)
class Config:
    """All that the proxy is told."""

    kubeconfig: str
    node: str
    mode: str = "nftables"
    """One of MODES, or `auto`."""
    cluster_cidrs: tuple[Prefix, ...] = ()
    service_ranges: tuple[Prefix, ...] = ()
    port_ranges: tuple[Prefix, ...] | None = None
    """Where NodePorts answer: the node's addresses in these ranges; None: its primary addresses."""
    healthz: tuple[str, int] | None = ("0.0.0.0", 10256)
    metrics: tuple[str, int] | None = ("127.0.0.1", 10249)
    sync_period: float = 30.0
    min_sync_period: float = 0.0
    masquerade_all: bool = False
    cgroup: Path | None = None
    """Whose sockets the ebpf mode translates; None: all of this machine's."""
    bpf_directory: Path = Path(_BPF_DIRECTORY)
    dry_run: bool = False
    cleanup: bool = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--config", metavar="FILE", help="a KubeProxyConfiguration; flags win over it")
    add("--kubeconfig", metavar="FILE", help="how to reach the API server (default: $KUBECONFIG, or the pod's own)")
    add("--hostname-override", metavar="NAME", help="name of this node (default: the host's)")
    add("--proxy-mode", "--mode", metavar="MODE", help=f"one of {', '.join(('auto', *MODES))} (default auto)")
    add("--cluster-cidr", metavar="A[,B]", help="where pods have their addresses; others are masqueraded")
    add("--service-cluster-ip-range", metavar="A[,B]", help="where Services have theirs, if there are no ServiceCIDRs")
    add("--nodeport-addresses", metavar="A,B", help="ranges of this node's addresses for NodePorts (default: primary)")
    add("--bind-address", metavar="IP", help="default for the addresses below (0.0.0.0 or ::)")
    add("--healthz-bind-address", metavar="IP[:PORT]", help="/healthz and /livez (default :10256; empty: none)")
    add("--metrics-bind-address", metavar="IP[:PORT]", help="/metrics (default 127.0.0.1:10249; empty: none)")
    add("--sync-period", metavar="TIME", help="how often everything is checked (default 30s)")
    add("--min-sync-period", metavar="TIME", help="least time between two changes (default 0s)")
    add("--masquerade-all", action="store_true", default=None, help="masquerade all calls of ClusterIPs")
    add("--cgroup", metavar="DIRECTORY", help="mode ebpf: the cgroup2 of this node's sockets (default: the root's)")
    add("--bpf-directory", metavar="DIRECTORY", help=f"mode ebpf: where maps are pinned (default: {_BPF_DIRECTORY})")
    add("--dry-run", action="store_true", help="print what would be programmed, and end; needs no root")
    add("--cleanup", action="store_true", help="take everything of this proxy out of the kernel, and end")


def from_arguments(args: argparse.Namespace) -> Config:
    """ValueError names the flag or field and the remedy."""
    file = _file(args.config) if args.config else {}

    def pick(flag: str, *path: str) -> Any:
        value = getattr(args, flag)
        if value is not None:
            return value
        found: Any = file
        for part in path:
            found = found.get(part) if isinstance(found, dict) else None
        return None if found in ("", None) else found

    bind = pick("bind_address", "bindAddress") or "0.0.0.0"
    parse_address(bind, "--bind-address")
    mode = pick("proxy_mode", "mode") or "auto"
    options = "nftables" if mode in ("nftables", "auto") else mode
    cluster, services = pick("cluster_cidr", "clusterCIDR"), args.service_cluster_ip_range
    config = Config(
        kubeconfig=pick("kubeconfig", "clientConnection", "kubeconfig") or "",
        node=(pick("hostname_override", "hostnameOverride") or socket.gethostname()).strip().lower(),
        mode=_mode(mode),
        cluster_cidrs=parse_prefixes(cluster, "--cluster-cidr") if cluster else (),
        service_ranges=parse_prefixes(services, "--service-cluster-ip-range") if services else (),
        port_ranges=_port_ranges(pick("nodeport_addresses", "nodePortAddresses")),
        healthz=_endpoint("--healthz-bind-address", pick("healthz_bind_address", "healthzBindAddress"), bind, 10256),
        metrics=_endpoint(
            "--metrics-bind-address", pick("metrics_bind_address", "metricsBindAddress"), "127.0.0.1", 10249
        ),
        sync_period=_seconds("--sync-period", pick("sync_period", options, "syncPeriod"), 30.0),
        min_sync_period=_seconds("--min-sync-period", pick("min_sync_period", options, "minSyncPeriod"), 0.0),
        masquerade_all=bool(pick("masquerade_all", options, "masqueradeAll")),
        cgroup=Path(args.cgroup) if args.cgroup else None,
        bpf_directory=Path(args.bpf_directory or _BPF_DIRECTORY),
        dry_run=args.dry_run,
        cleanup=args.cleanup,
    )
    if clash := overlapping((*config.cluster_cidrs, *config.service_ranges)):
        raise ValueError(f"--cluster-cidr: {clash[0]} overlaps the Service range {clash[1]} (choose ranges apart)")
    return config


def _file(path: str) -> dict[str, Any]:
    try:
        document = yaml.load(Path(path).read_text(), Loader=yaml.CSafeLoader)
    except OSError as error:
        raise ValueError(f"--config {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"--config {path}: {getattr(error, 'problem', None) or 'not YAML'}") from None
    if not isinstance(document, dict) or document.get("kind") != "KubeProxyConfiguration":
        raise ValueError(f"--config {path}: kind is not KubeProxyConfiguration")
    return document


def _mode(mode: str) -> str:
    if mode == "auto" or mode in (*MODES, *LATER):
        return mode
    raise ValueError(f"--proxy-mode: {mode!r} is no mode (use one of auto, {', '.join(MODES)})")


def _port_ranges(value: Any) -> tuple[Prefix, ...] | None:
    parts = value.split(",") if isinstance(value, str) else list(value or ())
    if not parts or parts == ["primary"]:
        return None
    return tuple(parse_prefix(str(part).strip(), "--nodeport-addresses") for part in parts)


def _endpoint(flag: str, value: Any, address: str, port: int) -> tuple[str, int] | None:
    if value is None:
        return address, port
    if value == "":
        return None
    text, number = str(value), port
    host = re.fullmatch(r"\[(.*)\](?::(\d+))?|([^:]*)(?::(\d+))?|(.*)", text)
    assert host is not None
    name = host[1] or host[3] or host[5] or address
    if host[2] or host[4]:
        number = int(host[2] or host[4])
    parse_address(name, flag)
    if not 0 < number < 65536:
        raise ValueError(f"{flag}: {number} is not a port (1 to 65535)")
    return name, number


def _seconds(flag: str, value: Any, default: float) -> float:
    if value is None:
        return default
    text = str(value)
    match = _DURATION.fullmatch(text)
    if text == "0":
        return 0.0
    if not text or match is None:
        raise ValueError(f"{flag}: {text!r} is not a duration such as 30s, 500ms or 1m30s")
    hours, minutes, seconds, milliseconds = (float(part or 0) for part in match.groups())
    total = hours * 3600 + minutes * 60 + seconds + milliseconds / 1000
    # kube-proxy's file says 0s for "the default".
    return total or default
