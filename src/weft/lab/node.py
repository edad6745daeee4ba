"""A node: process 1 of its own network, mount, process and host name namespaces, and what runs in it.

Because the node is a process namespace, killing process 1 takes everything of the node with it, as pulling the plug of
a machine would: no container, shim or mount can outlive it.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from weft.lab import cgroups, namespaces
from weft.lab.layout import NETNS, Layout
from weft.lab.namespaces import MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_PRIVATE, MS_REC, MS_SHARED
from weft.lab.supervisor import Child, Supervisor


@dataclass(frozen=True)
class Node:
    name: str
    layout: Layout
    children: tuple[Child, ...]
    resolv_conf: Path

    def main(self) -> int:
        """Runs as process 1 of the node."""
        cgroups.join(self.layout.node_cgroup(self.name))
        enter(self)
        return Supervisor(self.children, self.layout.node_status(self.name)).run()


def enter(node: Node) -> None:
    """Joins the node's network and gives this process, alone so far, a node's view of the machine."""
    namespaces.enter(NETNS / node.layout.node_netns(node.name), namespaces.NEWNET)
    namespaces.unshare(namespaces.NEWNS | namespaces.NEWUTS)
    namespaces.set_hostname(node.name)
    namespaces.mount("none", "/", flags=MS_REC | MS_PRIVATE)
    shared = os.open(node.layout.run, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    namespaces.mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    # A /run of its own: shim sockets, network namespaces of pods and containerd's state belong to this node only.
    namespaces.mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
    node.layout.run.mkdir(parents=True)
    namespaces.mount(f"/proc/self/fd/{shared}", node.layout.run, flags=MS_BIND)
    os.close(shared)
    for path in ("/run/containerd", "/run/netns", "/run/lock"):
        Path(path).mkdir(mode=0o711)
    if Path("/etc/resolv.conf").is_file() and not Path("/etc/resolv.conf").is_symlink():
        namespaces.mount(str(node.resolv_conf), "/etc/resolv.conf", flags=MS_BIND)
    namespaces.mount("none", "/", flags=MS_REC | MS_SHARED)  # pods may ask for mount propagation
