"""The server as users start it: a process of its own, TLS, certificates, a file."""

import asyncio
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.peers import free_port

from weft.cluster.errors import ApiError
from weft.cluster.real import HttpCluster, load
from weft.lab.pki.kubeconfig import kubeconfig
from weft.lab.pki.layout import Pki
from weft.lab.pki.store import ensure


@dataclass
class Process:
    home: Path
    port: int = field(default_factory=free_port)
    started: subprocess.Popen[bytes] | None = None

    @property
    def pki(self) -> Pki:
        return ensure(self.home / "pki", nodes={"node1": ["127.0.0.1"]}, addresses=["127.0.0.1", "10.96.0.1"])

    def flags(self) -> list[str]:
        pki = self.pki
        return [
            "--bind-address=127.0.0.1",
            f"--secure-port={self.port}",
            f"--tls-cert-file={pki.apiserver.certificate}",
            f"--tls-private-key-file={pki.apiserver.key}",
            f"--client-ca-file={pki.ca_certificate}",
            f"--service-account-signing-key-file={pki.service_account_key}",
            f"--kubelet-client-certificate={pki.kubelet_client.certificate}",
            f"--kubelet-client-key={pki.kubelet_client.key}",
            f"--kubelet-certificate-authority={pki.ca_certificate}",
            f"--data={self.home / 'data' / 'store.db'}",
        ]

    def start(self, *more: str) -> None:
        with (self.home / "log").open("ab") as log:
            argv = [sys.executable, "-m", "weft.apiserver", *self.flags(), *more]
            self.started = subprocess.Popen(argv, stderr=log)

    def kill(self) -> None:
        if self.started is not None:
            self.started.kill()
            self.started.wait()

    def stop(self) -> int:
        assert self.started is not None
        self.started.terminate()
        return self.started.wait(10)

    def log(self) -> str:
        return (self.home / "log").read_text()

    def kubeconfig(self, identity: str = "admin") -> Path:
        path = self.home / f"{identity}.conf"
        server = f"https://127.0.0.1:{self.port}"
        path.write_bytes(kubeconfig(server, self.pki, self.pki.clients[identity], cluster="t", user=identity))
        return path

    def cluster(self, identity: str = "admin") -> HttpCluster:
        return HttpCluster(load(self.kubeconfig(identity)), timeout=5)

    async def ready(self, seconds: float = 30) -> None:
        until = time.monotonic() + seconds
        async with self.cluster() as cluster:
            while time.monotonic() < until:
                assert self.started is not None and self.started.poll() is None, self.log()
                try:
                    await cluster.request("GET", "/readyz")
                    return
                except ApiError:
                    await asyncio.sleep(0.05)
        raise TimeoutError(self.log())
