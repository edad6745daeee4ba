"""The API server's flags, named as kube-apiserver names them."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from weft.addresses import Prefix, parse_address, parse_prefixes
from weft.apiserver.auth import DEFAULT_ISSUER


@dataclass(frozen=True, slots=True)
class Config:
    bind_address: str
    secure_port: int
    advertise_address: str
    certificate: Path
    key: Path
    client_ca: Path | None
    service_ranges: tuple[Prefix, ...]
    node_ports: tuple[int, int]
    """First and last."""
    account_keys: tuple[Path, ...]
    account_signing_key: Path
    issuer: str
    kubelet_certificate: Path | None
    kubelet_key: Path | None
    kubelet_ca: Path | None
    data: Path | None
    """None: nothing outlives the process."""


def _path(text: str) -> Path | None:
    return Path(text) if text else None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    flag = parser.add_argument
    flag("--bind-address", default="0.0.0.0", metavar="ADDRESS", help="listen here (default: %(default)s)")
    flag("--secure-port", type=int, default=6443, metavar="PORT", help="HTTPS port (default: %(default)s)")
    flag("--advertise-address", default="", metavar="ADDRESS", help="the address of the Service `kubernetes`")
    flag("--tls-cert-file", type=_path, required=True, metavar="FILE", help="serving certificate")
    flag("--tls-private-key-file", type=_path, required=True, metavar="FILE", help="and its key")
    flag("--client-ca-file", type=_path, metavar="FILE", help="who signs client certificates")
    flag("--service-cluster-ip-range", default="10.96.0.0/12", metavar="CIDR[,CIDR]", help="(default: %(default)s)")
    flag("--service-node-port-range", default="30000-32767", metavar="A-B", help="(default: %(default)s)")
    flag(
        "--service-account-key-file",
        type=_path,
        action="append",
        default=[],
        metavar="FILE",
        help="also accept tokens signed with this key; repeatable",
    )
    flag("--service-account-signing-key-file", type=_path, required=True, metavar="FILE", help="signs tokens")
    flag("--service-account-issuer", default=DEFAULT_ISSUER, metavar="URL", help="(default: %(default)s)")
    flag("--kubelet-client-certificate", type=_path, metavar="FILE", help="how the server shows itself to kubelets")
    flag("--kubelet-client-key", type=_path, metavar="FILE", help="and its key")
    flag("--kubelet-certificate-authority", type=_path, metavar="FILE", help="who signs kubelets' certificates")
    flag("--data", type=_path, metavar="FILE", help="the store, an SQLite database; without it nothing is kept")


def parse(args: argparse.Namespace) -> Config:
    """Raises ValueError that names the flag and the remedy."""
    if not 0 <= args.secure_port <= 65535:
        raise ValueError(f"--secure-port {args.secure_port}: a port is 0 to 65535")
    for name in ("tls_cert_file", "tls_private_key_file", "client_ca_file", "service_account_signing_key_file"):
        _readable(name, getattr(args, name))
    for path in args.service_account_key_file:
        _readable("service_account_key_file", path)
    if bool(args.kubelet_client_certificate) != bool(args.kubelet_client_key):
        raise ValueError("--kubelet-client-certificate and --kubelet-client-key: give both or none")
    for name in ("kubelet_client_certificate", "kubelet_client_key", "kubelet_certificate_authority"):
        _readable(name, getattr(args, name))
    return Config(
        str(parse_address(args.bind_address, "--bind-address")),
        args.secure_port,
        str(parse_address(args.advertise_address or _advertised(args.bind_address), "--advertise-address")),
        args.tls_cert_file,
        args.tls_private_key_file,
        args.client_ca_file,
        parse_prefixes(args.service_cluster_ip_range, "--service-cluster-ip-range"),
        _ports(args.service_node_port_range),
        tuple(args.service_account_key_file),
        args.service_account_signing_key_file,
        args.service_account_issuer,
        args.kubelet_client_certificate,
        args.kubelet_client_key,
        args.kubelet_certificate_authority,
        args.data,
    )


def _advertised(bind: str) -> str:
    return "127.0.0.1" if bind in ("0.0.0.0", "::") else bind


def _readable(name: str, path: Path | None) -> None:
    if path is None:
        return
    try:
        path.open("rb").close()
    except OSError as error:
        flag = "--" + name.replace("_", "-")
        raise ValueError(f"{flag} {path}: {error.strerror}; name a readable PEM file") from None


def _ports(text: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    try:
        ports = int(first), int(last if dash else first)
    except ValueError:
        raise ValueError(f"--service-node-port-range {text}: write it as FIRST-LAST") from None
    if not 0 < ports[0] <= ports[1] <= 65535:
        raise ValueError(f"--service-node-port-range {text}: ports are 1 to 65535, the first not above the last")
    return ports
