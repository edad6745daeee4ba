"""What `weft network` is told when it starts."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from weft.addresses import Prefix, overlapping, parse_prefixes
from weft.kernel.state.link import validate_name

CONFLIST = "10-weft.conflist"


@dataclass(frozen=True, slots=True)
class Config:
    node: str
    cluster_ranges: tuple[Prefix, ...]
    bridge: str
    conf_dir: Path
    bin_dir: Path
    socket: Path
    state_dir: Path
    mtu: int
    """0: that of the link with the node's own address."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--kubeconfig", default="", metavar="FILE", help="how to reach the API server")
    add("--node-name", required=True, metavar="NAME", help="this node's name in the API")
    add("--cluster-cidr", required=True, metavar="RANGE[,RANGE]", help="the pods' ranges of all nodes together")
    add("--mode", choices=["direct"], default="direct", help="how packets reach other nodes' pods: routed to the node")
    add("--bridge", default="wcni0", metavar="LINK", help="name of the node's bridge (default: %(default)s)")
    add("--mtu", type=int, default=0, metavar="BYTES", help="of pods' links (default: that of the node's own link)")
    add("--cni-conf-dir", default="/etc/cni/net.d", metavar="DIR", help=f"where {CONFLIST} goes (default: %(default)s)")
    add("--cni-bin-dir", default="/opt/cni/bin", metavar="DIR", help="where the plugins go (default: %(default)s)")
    add("--socket", default="/run/weft/cni.sock", metavar="FILE", help="where CNI is served (default: %(default)s)")
    add(
        "--state-dir",
        default="/var/lib/weft/network",
        metavar="DIR",
        help="who has which address (default: %(default)s)",
    )
    add("--healthz-bind-address", default="0.0.0.0", metavar="ADDRESS", help="of /healthz and /metrics")
    add(
        "--healthz-port",
        type=int,
        default=10251,
        metavar="PORT",
        help="of /healthz and /metrics (default: %(default)s)",
    )
    add("--dry-run", action="store_true", help="print the plan and change nothing")


def parse(args: argparse.Namespace) -> Config:
    """Raises ValueError that names the flag."""
    ranges = parse_prefixes(args.cluster_cidr, "--cluster-cidr")
    if pair := overlapping(ranges):
        raise ValueError(f"--cluster-cidr: {pair[0]} and {pair[1]} overlap")
    try:
        validate_name(args.bridge)
    except ValueError as error:
        raise ValueError(f"--bridge: {error}") from None
    if args.mtu and not 576 <= args.mtu <= 65535:
        raise ValueError(f"--mtu: {args.mtu} is not between 576 and 65535")
    if not args.node_name:
        raise ValueError("--node-name: must not be empty (give the node's name in the API)")
    return Config(
        node=args.node_name,
        cluster_ranges=ranges,
        bridge=args.bridge,
        conf_dir=Path(args.cni_conf_dir),
        bin_dir=Path(args.cni_bin_dir),
        socket=Path(args.socket),
        state_dir=Path(args.state_dir),
        mtu=args.mtu,
    )
