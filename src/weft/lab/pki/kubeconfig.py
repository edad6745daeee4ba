"""Kubeconfig files with everything embedded ("Organizing Cluster Access Using kubeconfig Files")."""

import base64
from pathlib import Path

import yaml

from weft.lab.pki.layout import PairPaths, Pki
from weft.lab.pki.store import write


def kubeconfig(server: str, pki: Pki, identity: PairPaths, *, cluster: str, user: str, namespace: str = "") -> bytes:
    """The file's content: context USER@CLUSTER, authority, certificate and key as data. `server` is the URL."""
    context: dict[str, str] = {"cluster": cluster, "user": user}
    if namespace:
        context["namespace"] = namespace
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": cluster,
                "cluster": {"server": server, "certificate-authority-data": _data(pki.ca_certificate)},
            }
        ],
        "contexts": [{"name": f"{user}@{cluster}", "context": context}],
        "current-context": f"{user}@{cluster}",
        "users": [
            {
                "name": user,
                "user": {
                    "client-certificate-data": _data(identity.certificate),
                    "client-key-data": _data(identity.key),
                },
            }
        ],
    }
    return yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False).encode()


def write_kubeconfig(path: Path, content: bytes) -> None:
    """0600, replaced in one step, and left alone when it says the same already."""
    if not path.exists() or path.read_bytes() != content:
        write(path, content)


def _data(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
