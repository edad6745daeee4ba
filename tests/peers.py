"""The real Kubernetes programs, for tests marked `peer`: built by the project's peers script into $WEFT_PEERS
(default ~/.cache/weft-peers). `kube_apiserver()` starts etcd and kube-apiserver on loopback and removes both again."""

import json
import os
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

PEERS = Path(os.environ.get("WEFT_PEERS", "~/.cache/weft-peers")).expanduser()
ADMIN_TOKEN = "admin-token"


def peer(name: str) -> Path:
    """The program; the test is skipped where it has not been built."""
    path = PEERS / name
    if not path.is_file():
        pytest.skip(f"{name} is not in {PEERS}")
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(log: Path, *argv: str) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a program until the end of the block; what it says goes to `log`."""
    with log.open("wb") as out:
        running = subprocess.Popen(argv, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.wait(10)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


@contextmanager
def kube_apiserver(*flags: str, service_cidr: str = "10.96.0.0/12", users: Sequence[str] = ()) -> Iterator[Path]:
    """A real API server; gives the path of an administrator's kubeconfig (token, no verification of the server).

    For each of `users` (such as "system:kube-scheduler") a kubeconfig NAME with ":" as "-" lies beside it.
    """
    etcd, apiserver = peer("etcd"), peer("kube-apiserver")
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="weft-peer-")))
        client, port = f"http://127.0.0.1:{free_port()}", free_port()
        peers = f"http://127.0.0.1:{free_port()}"
        stack.enter_context(
            process(
                home / "etcd.log", str(etcd), "--data-dir", str(home / "etcd"), "--unsafe-no-fsync",
                "--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peers,
                "--initial-advertise-peer-urls", peers, "--initial-cluster", f"default={peers}",
            )
        )  # fmt: skip
        _service_account_key(home)
        lines = [f'{ADMIN_TOKEN},admin,admin,"system:masters"', *(f"{user}-token,{user},{user}" for user in users)]
        (home / "tokens.csv").write_text("\n".join(lines) + "\n")
        running = stack.enter_context(
            process(
                home / "apiserver.log", str(apiserver), f"--etcd-servers={client}", f"--secure-port={port}",
                "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", f"--cert-dir={home / 'certs'}",
                f"--service-cluster-ip-range={service_cidr}", f"--token-auth-file={home / 'tokens.csv'}",
                f"--service-account-key-file={home / 'sa.pub'}",
                f"--service-account-signing-key-file={home / 'sa.key'}",
                "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
                "--authorization-mode=Node,RBAC", "--allow-privileged", "--endpoint-reconciler-type=none", *flags,
            )
        )  # fmt: skip
        server = f"https://127.0.0.1:{port}"
        for user in users:
            _kubeconfig(home / user.replace(":", "-"), server, f"{user}-token")
        _until_ready(running, server, home / "apiserver.log")
        yield _kubeconfig(home / "kubeconfig", server, ADMIN_TOKEN)


def _service_account_key(home: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (home / "sa.key").write_bytes(private)
    (home / "sa.pub").write_bytes(public)


def _kubeconfig(path: Path, server: str, token: str) -> Path:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "peer",
        "contexts": [{"name": "peer", "context": {"cluster": "peer", "user": "peer"}}],
        "clusters": [{"name": "peer", "cluster": {"server": server, "insecure-skip-tls-verify": True}}],
        "users": [{"name": "peer", "user": {"token": token}}],
    }
    path.write_text(json.dumps(document))
    return path


def _until_ready(running: subprocess.Popen[bytes], server: str, log: Path, timeout: float = 60) -> None:
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    asked = urllib.request.Request(f"{server}/readyz", headers={"Authorization": f"Bearer {ADMIN_TOKEN}"})
    until = time.monotonic() + timeout
    while time.monotonic() < until and running.poll() is None:
        try:
            with urllib.request.urlopen(asked, context=trusting, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError(f"kube-apiserver did not become ready:\n{log.read_text(errors='replace')[-3000:]}")
