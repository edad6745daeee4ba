"""Which certificates a lab has, whom each names, and where its files lie: kubeadm's layout ("PKI certificates")."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from weft.lab.pki.certificates import Leaf

AUTHORITY_NAME = "kubernetes"
_API_SERVER_NAMES = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost")

IDENTITIES: Mapping[str, Leaf] = {
    "admin": Leaf("kubernetes-admin", ("system:masters",)),
    "controllers": Leaf("system:kube-controller-manager"),
    "scheduler": Leaf("system:kube-scheduler"),
    "network": Leaf("system:weft:network"),
    "proxy": Leaf("system:kube-proxy"),
}
"""Client certificates that are not a node's. DNS has none: it runs in pods, with a ServiceAccount token."""


@dataclass(frozen=True)
class PairPaths:
    certificate: Path
    key: Path


@dataclass(frozen=True)
class NodePaths:
    serving: PairPaths
    """The kubelet's HTTPS port (10250)."""
    client: PairPaths
    """system:node:NAME in system:nodes."""


@dataclass(frozen=True)
class Pki:
    """Where everything lies. Keys are 0600, the directory itself 0700."""

    authority: PairPaths
    apiserver: PairPaths
    kubelet_client: PairPaths
    """The API server's own identity towards kubelets."""
    service_account_key: Path
    service_account_public: Path
    clients: Mapping[str, PairPaths]
    """By the names of IDENTITIES."""
    nodes: Mapping[str, NodePaths]

    @property
    def ca_certificate(self) -> Path:
        return self.authority.certificate


def paths(directory: Path, nodes: Sequence[str]) -> Pki:
    return Pki(
        authority=_pair(directory, "ca"),
        apiserver=_pair(directory, "apiserver"),
        kubelet_client=_pair(directory, "apiserver-kubelet-client"),
        service_account_key=directory / "sa.key",
        service_account_public=directory / "sa.pub",
        clients={name: _pair(directory / "clients", name) for name in IDENTITIES},
        nodes={
            node: NodePaths(
                _pair(directory / "nodes" / node, "kubelet"), _pair(directory / "nodes" / node, "kubelet-client")
            )
            for node in nodes
        },
    )


def leaves(
    pki: Pki, nodes: Mapping[str, Sequence[str]], addresses: Sequence[str], cluster_domain: str
) -> Iterator[tuple[PairPaths, Leaf]]:
    """Every certificate of the lab but the authority's own, and where it belongs.

    `nodes`: node name → its addresses; `addresses`: addresses and further names by which the API server is reached.
    """
    service = f"kubernetes.default.svc.{cluster_domain}"
    yield (
        pki.apiserver,
        Leaf("kube-apiserver", names=(*_API_SERVER_NAMES, service, "127.0.0.1", *addresses), usage="server"),
    )
    yield pki.kubelet_client, Leaf("kube-apiserver-kubelet-client")
    for name, leaf in IDENTITIES.items():
        yield pki.clients[name], leaf
    for node, own in nodes.items():
        identity = f"system:node:{node}"
        yield pki.nodes[node].client, Leaf(identity, ("system:nodes",))
        yield pki.nodes[node].serving, Leaf(identity, ("system:nodes",), (node, "127.0.0.1", *own), "server")


def _pair(directory: Path, name: str) -> PairPaths:
    return PairPaths(directory / f"{name}.crt", directory / f"{name}.key")
