"""What the machine is: processors, memory, disk, kernel, identities."""

import os
import platform
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "ppc64le": "ppc64le", "s390x": "s390x"}


@dataclass(frozen=True, slots=True)
class MachineFacts:
    processors: int
    memory: int
    """Bytes."""
    disk: int
    """Bytes of the file system of the kubelet's directory."""
    architecture: str
    kernel: str
    os_image: str
    machine_id: str
    boot_id: str


def machine_facts(root: Path) -> MachineFacts:
    return MachineFacts(
        processors=len(os.sched_getaffinity(0)),
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        disk=shutil.disk_usage(root).total,
        architecture=_ARCHITECTURES.get(platform.machine(), platform.machine()),
        kernel=platform.release(),
        os_image=_os_image(),
        machine_id=_read("/etc/machine-id"),
        boot_id=_read("/proc/sys/kernel/random/boot_id"),
    )


def address_towards(server: str) -> str:
    """This machine's address on the way to `server` (a URL). Raises ValueError where there is no way."""
    parts = urlsplit(server)
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_DGRAM)[0]
        with socket.socket(found[0], socket.SOCK_DGRAM) as probe:
            probe.connect(found[4])  # a datagram socket sends nothing when it is connected
            return str(probe.getsockname()[0])
    except OSError as error:
        raise ValueError(f"--node-ip: must be given, there is no way to {server}: {error.strerror}") from None


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _os_image() -> str:
    for line in _read("/etc/os-release").splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip('"')
    return platform.system()
