"""The ebpf mode under test: each node has a cgroup, in which the sockets of its namespaces are made.

The cgroups are threaded, so that single threads of this process can be in them.
"""

import contextlib
import threading
import time
from pathlib import Path

from tests.proxy.suite.world import NODES, POD_RANGES, PODS

from weft.kernel.real import netns
from weft.kernel.real.bpf import RealBpf
from weft.kernel.real.nft import RealNft
from weft.kernel.real.sockets import RealSockets
from weft.proxy.ebpf.cookie import netns_cookie
from weft.proxy.ebpf.mode import EbpfMode
from weft.proxy.nftables.mode import NftablesMode, layouts
from weft.proxy.plan import Mode


class Ebpf:
    """`MakeMode`, with what the world needs beside it."""

    def __init__(self) -> None:
        self._root, self._prefix = Path(), ""

    def cgroup(self, node: str) -> Path:
        return self._root / self._prefix / node

    def directory(self, node: str) -> Path:
        return Path("/run", self._prefix, node)

    def __call__(self, namespace: str, node: str) -> Mode:
        self._root, self._prefix = _own_cgroup(), namespace.removesuffix(f"-{node}")
        for one in (self._root / self._prefix, self.cgroup(node)):
            if not one.exists():
                one.mkdir()
                (one / "cgroup.type").write_text("threaded")
        here = [f"{self._prefix}-{pod}" for pod, (on, _) in PODS.items() if on == node]
        cookie = netns.run_in(namespace, netns_cookie)
        beside = NftablesMode(RealNft(namespace), layouts(POD_RANGES, masquerade_all=False))
        bpf = RealBpf(self.cgroup(node), self.directory(node))
        return EbpfMode(bpf, beside, RealSockets(lambda: [namespace, *here]), cookie)

    def enter(self, where: str) -> None:
        """The calling thread makes its sockets in the cgroup of its node, if it is on one."""
        node = where if where in NODES else PODS[where][0] if where in PODS else ""
        if node:
            (self.cgroup(node) / "cgroup.threads").write_text(str(threading.get_native_id()))

    def remove(self) -> None:
        for node in NODES:
            if self.cgroup(node).exists():
                bpf = RealBpf(self.cgroup(node), self.directory(node))
                bpf.open(())
                bpf.clear()
                bpf.close()
        for one in (*map(self.cgroup, NODES), self._root / self._prefix):
            for _ in range(50):
                with contextlib.suppress(OSError):
                    one.rmdir()
                if not one.exists():
                    break
                time.sleep(0.02)
        with contextlib.suppress(OSError):
            Path("/run", self._prefix).rmdir()


def _own_cgroup() -> Path:
    """This process's own of version 2: single threads can go to those below it only."""
    place = next(line for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::"))
    hybrid = Path("/sys/fs/cgroup/unified")
    return (hybrid if hybrid.exists() else Path("/sys/fs/cgroup")) / place.removeprefix("0::/")
