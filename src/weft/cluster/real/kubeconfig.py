"""Reading a kubeconfig file, or the ServiceAccount files of a pod ("Organizing Cluster Access", "Accessing the API
from a Pod")."""

import base64
import binascii
import os
import ssl
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_IN_CLUSTER = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class KubeConfigError(ValueError):
    """The file cannot be used; the message names file, field and remedy."""


@dataclass(frozen=True)
class KubeConfig:
    server: str
    """URL without a trailing slash."""
    tls: ssl.SSLContext | None = field(repr=False, default=None)
    token: str = field(repr=False, default="")
    token_file: Path | None = None
    """Read again at every connection: projected tokens rotate."""
    namespace: str = "default"

    def bearer(self) -> str:
        return self.token_file.read_text().strip() if self.token_file else self.token


def load(path: str | Path | None, context: str = "") -> KubeConfig:
    """The configuration at `path`; without one, $KUBECONFIG, then the pod's own ServiceAccount."""
    if not path:
        path = os.environ.get("KUBECONFIG")
    if not path:
        if _IN_CLUSTER.exists():
            return _in_cluster()
        raise KubeConfigError("kubeconfig: none given (use --kubeconfig FILE, set KUBECONFIG, or run in a pod)")
    return _from_file(Path(path), context)


def _in_cluster() -> KubeConfig:
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST", ""), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise KubeConfigError("kubeconfig: KUBERNETES_SERVICE_HOST is not set in this pod (give --kubeconfig FILE)")
    tls = ssl.create_default_context(cafile=str(_IN_CLUSTER / "ca.crt"))
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    namespace = _IN_CLUSTER / "namespace"
    return KubeConfig(
        server,
        tls,
        token_file=_IN_CLUSTER / "token",
        namespace=namespace.read_text().strip() if namespace.exists() else "default",
    )


def _from_file(path: Path, context: str) -> KubeConfig:
    try:
        document = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
    except OSError as error:
        raise KubeConfigError(f"kubeconfig {path}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problem = getattr(error, "problem", None) or "not YAML"
        raise KubeConfigError(f"kubeconfig {path}: {problem}") from None
    if not isinstance(document, dict):
        raise KubeConfigError(f"kubeconfig {path}: is not a mapping (expected apiVersion, clusters, contexts, users)")
    name = context or document.get("current-context") or ""
    chosen = _named(path, document, "contexts", name, "context", "current-context")
    cluster = _named(path, document, "clusters", chosen.get("cluster", ""), "cluster", f"contexts[{name}].cluster")
    user = _named(path, document, "users", chosen.get("user", ""), "user", f"contexts[{name}].user")
    server = cluster.get("server", "")
    if not isinstance(server, str) or not server.startswith(("https://", "http://")):
        raise KubeConfigError(f"kubeconfig {path}: clusters.server: {server!r} is not an http or https URL")
    token_file = user.get("tokenFile")
    return KubeConfig(
        server.rstrip("/"),
        _tls(path, cluster, user) if server.startswith("https://") else None,
        token=user.get("token", ""),
        token_file=path.parent / token_file if token_file else None,
        namespace=chosen.get("namespace") or "default",
    )


def _named(path: Path, document: dict[str, Any], section: str, name: str, inner: str, because: str) -> dict[str, Any]:
    for entry in document.get(section) or []:
        if isinstance(entry, dict) and entry.get("name") == name:
            value = entry.get(inner)
            return value if isinstance(value, dict) else {}
    raise KubeConfigError(f"kubeconfig {path}: {section}: has no {name!r}, which {because} names")


def _tls(path: Path, cluster: dict[str, Any], user: dict[str, Any]) -> ssl.SSLContext:
    try:
        authority = _bytes(path, cluster, "certificate-authority")
        tls = ssl.create_default_context(cadata=authority.decode() if authority else None)
        # Clusters' own authorities (and kind's, k3s', Weft's) do not always mark their key usage as RFC 5280 asks.
        tls.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
        if cluster.get("insecure-skip-tls-verify"):
            tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        certificate, key = _bytes(path, user, "client-certificate"), _bytes(path, user, "client-key")
        if certificate and key:
            # The ssl module reads chains from files only; the file is private to us and gone at once.
            with tempfile.NamedTemporaryFile() as chain:
                chain.write(certificate + b"\n" + key)
                chain.flush()
                tls.load_cert_chain(chain.name)
    except (ssl.SSLError, UnicodeDecodeError, ValueError) as error:
        if isinstance(error, KubeConfigError):
            raise
        raise KubeConfigError(f"kubeconfig {path}: certificate or key cannot be used: {error}") from None
    tls.set_alpn_protocols(["http/1.1"])
    return tls


def _bytes(path: Path, section: dict[str, Any], field_name: str) -> bytes:
    """What `field_name`-data holds, or the file that `field_name` names (relative to the kubeconfig)."""
    if inline := section.get(f"{field_name}-data"):
        try:
            return base64.b64decode(inline, validate=True)
        except (binascii.Error, TypeError):
            raise KubeConfigError(f"kubeconfig {path}: {field_name}-data: is not base64") from None
    if file := section.get(field_name):
        try:
            return (path.parent / str(file)).read_bytes()
        except OSError as error:
            raise KubeConfigError(f"kubeconfig {path}: {field_name}: {file}: {error.strerror}") from None
    return b""
