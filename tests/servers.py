"""API servers for tests: Weft's own as a process of its own, beside the real one of `tests.peers`."""

import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.peers import free_port, kube_apiserver, peer, process

from weft.lab.pki import IDENTITIES, Pki, ensure, kubeconfig


@dataclass(frozen=True)
class Server:
    """A running API server, and how to be whom."""

    admin: Path
    """Kubeconfig of an administrator."""
    identities: dict[str, Path]
    """Kubeconfigs of the lab's identities (controllers, scheduler …)."""


@contextmanager
def weft_apiserver(*flags: str) -> Iterator[Server]:
    """Weft's API server on loopback, with the lab's certificates, bootstrap policy and an empty store on disk."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="weft-server-")))
        port = free_port()
        pki = ensure(home / "pki", nodes={}, addresses=["127.0.0.1"])
        command = [
            sys.executable, "-m", "weft.apiserver", "--bind-address=127.0.0.1", f"--secure-port={port}",
            "--advertise-address=192.0.2.1",
            f"--data={home / 'store.db'}",
            f"--tls-cert-file={pki.apiserver.certificate}", f"--tls-private-key-file={pki.apiserver.key}",
            f"--client-ca-file={pki.ca_certificate}",
            f"--service-account-key-file={pki.service_account_public}",
            f"--service-account-signing-key-file={pki.service_account_key}", *flags,
        ]  # fmt: skip
        running = stack.enter_context(process(home / "log", *command))
        url = f"https://127.0.0.1:{port}"
        identities = {}
        for name in IDENTITIES:
            identities[name] = home / name
            identities[name].write_bytes(kubeconfig(url, pki, pki.clients[name], cluster="weft", user=name))
        _until_ready(running, url, pki, home / "log")
        yield Server(identities["admin"], identities)


@contextmanager
def real_apiserver(*flags: str) -> Iterator[Server]:
    """kube-apiserver with etcd. The controllers are administrators there: upstream gives each one its own account."""
    users = {"scheduler": "system:kube-scheduler"}
    with kube_apiserver(*flags, users=list(users.values())) as admin:
        identities = {name: admin.parent / user.replace(":", "-") for name, user in users.items()}
        yield Server(admin, {"admin": admin, "controllers": admin, **identities})


def _until_ready(running: "subprocess.Popen[bytes]", url: str, pki: Pki, log: Path, timeout: float = 30) -> None:
    admin = ssl.create_default_context(cafile=str(pki.ca_certificate))
    admin.load_cert_chain(pki.clients["admin"].certificate, pki.clients["admin"].key)
    until = time.monotonic() + timeout
    while time.monotonic() < until and running.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/readyz", context=admin, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise RuntimeError(f"weft apiserver did not become ready:\n{log.read_text(errors='replace')[-3000:]}")


def kubectl_program() -> str:
    """The machine's own kubectl, or the peers'."""
    return shutil.which("kubectl") or str(peer("kubectl"))
