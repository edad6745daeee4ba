"""What this machine must have before anything is made: each refusal is one line with its remedy."""

import ctypes.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from weft.lab import cgroups

_CAPABILITIES = {"CAP_SYS_ADMIN": 21, "CAP_NET_ADMIN": 12, "CAP_SYS_CHROOT": 18, "CAP_MKNOD": 27, "CAP_NET_RAW": 13}
_PROGRAMS = {"containerd": "containerd", "runc": "runc", "busybox": "busybox-static", "dash": "dash"}


def problems() -> Iterator[str]:
    if os.geteuid() != 0:
        yield "not root: a lab makes network namespaces (run it with sudo)"
        return
    held = effective_capabilities(Path("/proc/self/status").read_text())
    missing = [name for name, bit in _CAPABILITIES.items() if not held >> bit & 1]
    if missing:
        yield f"capabilities: {', '.join(missing)} missing (run as root outside a container, or give it --privileged)"
    for program, package in _PROGRAMS.items():
        if shutil.which(program) is None:
            yield f"program {program}: is not on this machine (apt-get install {package})"
    if ctypes.util.find_library("nftables") is None:
        yield "library libnftables: is not on this machine (apt-get install nftables)"
    if not Path("/proc/net/nf_conntrack").exists() and not Path("/proc/sys/net/netfilter").exists():
        yield "kernel: has no connection tracking (modprobe nf_conntrack, or a kernel with CONFIG_NF_CONNTRACK)"
    filesystems = Path("/proc/filesystems").read_text().split()
    if "overlay" not in filesystems:
        yield "kernel: has no overlay file system (modprobe overlay)"
    if not cgroups.hierarchies():
        yield "cgroups: none are mounted at /sys/fs/cgroup (mount -t cgroup2 none /sys/fs/cgroup)"


def effective_capabilities(status: str) -> int:
    """The CapEff mask of a /proc/PID/status text. Pure."""
    for line in status.splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0


MODULES = ("overlay", "br_netfilter", "nf_conntrack", "nf_tables", "nft_masq", "nft_nat", "veth", "bridge", "vxlan")
"""Loaded where the kernel has them as modules; kernels with all built in have no modprobe at all."""
