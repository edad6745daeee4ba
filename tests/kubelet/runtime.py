"""A containerd of its own, in a network namespace of its own, with Debian's CNI plugins; and nothing left afterwards.

The host reaches the pods (10.199.N.0/24) through a veth pair, so a node agent in the test's own process can probe them.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_V1 = ("cpu", "cpuacct", "cpuset", "memory", "pids", "blkio", "devices", "freezer", "systemd")
PAUSE = "registry.k8s.io/pause:3.10.2"
BUSYBOX = "docker.io/library/busybox:latest"
_PATIENCE = 30.0
_MADE = Path(tempfile.gettempdir()) / f"weft-kubelet-images-{os.getuid()}"

_CONFIG = """version = 2
root = "{dir}/root"
state = "{dir}/state"
[grpc]
  address = "{dir}/c.sock"
[ttrpc]
  address = "{dir}/c.sock.ttrpc"
[plugins."io.containerd.internal.v1.opt"]
  path = "{dir}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  stream_server_address = "{address}"
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{dir}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      Root = "{dir}/runc"
"""
_CNI = """{{"cniVersion":"0.4.0","name":"test","plugins":[
{{"type":"bridge","bridge":"cni0","isGateway":true,"hairpinMode":true,"ipam":{{"type":"host-local","dataDir":"{dir}/ipam",
"ranges":[[{{"subnet":"10.199.{n}.0/24"}}]],"routes":[{{"dst":"0.0.0.0/0"}}]}}}},
{{"type":"portmap","capabilities":{{"portMappings":true}}}}]}}"""


@dataclass(frozen=True)
class Node:
    dir: Path
    number: int
    namespace: str
    address: str
    """Of the node, reachable from the host."""
    containerd: int

    @property
    def endpoint(self) -> str:
        return f"unix://{self.dir}/c.sock"

    @property
    def cgroup_root(self) -> str:
        return f"/{self.namespace}"

    def ctr(self, *words: str) -> str:
        return _run("ctr", "-a", f"{self.dir}/c.sock", "-n", "k8s.io", *words)


def _run(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=_PATIENCE)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def _quiet(*words: str) -> str:
    """What the program printed; "" where it failed or took too long (ctr waits for ever for a dead containerd)."""
    try:
        return subprocess.run(words, capture_output=True, text=True, check=False, timeout=_PATIENCE).stdout
    except subprocess.TimeoutExpired:
        return ""


@contextlib.contextmanager
def node() -> Iterator[Node]:
    """One node with the images PAUSE and BUSYBOX. Needs root, containerd, runc, busybox-static."""
    number = os.getpid() % 200 + 20
    namespace = f"wkt{os.getpid()}"
    directory = Path(tempfile.mkdtemp(prefix="weft-kubelet-"))
    process: subprocess.Popen[bytes] | None = None
    try:
        _network(namespace, number)
        _cgroups(namespace)
        process = _containerd(directory, namespace, number)
        made = Node(directory, number, namespace, f"10.198.{number}.2", process.pid)
        made.ctr("images", "import", str(_images()))
        yield made
    finally:
        _clean(directory, namespace, process)


def _network(namespace: str, number: int) -> None:
    _run("ip", "netns", "add", namespace)
    _run("ip", "link", "add", f"wk{os.getpid()}", "type", "veth", "peer", "name", "eth0", "netns", namespace)
    _run("ip", "address", "add", f"10.198.{number}.1/24", "dev", f"wk{os.getpid()}")
    _run("ip", "link", "set", f"wk{os.getpid()}", "up")
    inside = ("ip", "-n", namespace)
    _run(*inside, "link", "set", "lo", "up")
    _run(*inside, "address", "add", f"10.198.{number}.2/24", "dev", "eth0")
    _run(*inside, "link", "set", "eth0", "up")
    _run(*inside, "route", "add", "default", "via", f"10.198.{number}.1")
    _run("ip", "route", "add", f"10.199.{number}.0/24", "via", f"10.198.{number}.2")
    _run("nsenter", f"--net=/run/netns/{namespace}", "sysctl", "-qw", "net.ipv4.ip_forward=1")


def _cgroups(name: str) -> None:
    for controller in _V1:
        if (parent := Path("/sys/fs/cgroup") / controller).is_dir():
            (parent / name).mkdir(exist_ok=True)
    for file in ("cpuset.cpus", "cpuset.mems"):
        if (source := Path("/sys/fs/cgroup/cpuset") / file).exists():
            (source.parent / name / file).write_text(source.read_text())


def _containerd(directory: Path, namespace: str, number: int) -> subprocess.Popen[bytes]:
    (directory / "cni").mkdir()
    config = _CONFIG.format(dir=directory, pause=PAUSE, address=f"10.198.{number}.2")
    (directory / "containerd.toml").write_text(config)
    (directory / "cni" / "10-test.conflist").write_text(_CNI.format(dir=directory, n=number))
    words = ["nsenter", f"--net=/run/netns/{namespace}", "containerd", "-c", str(directory / "containerd.toml")]
    with (directory / "containerd.log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True)
    deadline = time.monotonic() + 10
    while not (directory / "c.sock").exists():
        if time.monotonic() > deadline or process.poll() is not None:
            raise RuntimeError(f"containerd did not start: {(directory / 'containerd.log').read_text()[-2000:]}")
        time.sleep(0.02)
    return process


def _images() -> Path:
    """One archive with both images, kept between runs; the pause program is a shell that sleeps."""
    archive = _MADE / "images.tar"
    if not archive.exists():
        from .image import write_archive

        _MADE.mkdir(exist_ok=True)
        write_archive(archive, [PAUSE, BUSYBOX])
    return archive


def _clean(directory: Path, namespace: str, process: subprocess.Popen[bytes] | None) -> None:
    socket = str(directory / "c.sock")
    if process is not None and process.poll() is None:
        for task in _quiet("ctr", "-a", socket, "-n", "k8s.io", "task", "ls", "-q").split():
            _quiet("ctr", "-a", socket, "-n", "k8s.io", "task", "rm", "-f", task)
        process.kill()
        process.wait()
    for pid in _shims(str(directory)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    time.sleep(0.1)
    for _ in range(3):
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for mount in sorted((m for m in mounts if m.startswith(f"{directory}/")), reverse=True):
            _quiet("umount", "-l", mount)
    _quiet("ip", "link", "del", f"wk{os.getpid()}")
    _quiet("ip", "netns", "del", namespace)
    for root in Path("/sys/fs/cgroup").glob(f"*/{namespace}"):
        for path, _, _ in os.walk(root, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(path)
    shutil.rmtree(directory, ignore_errors=True)


def _shims(directory: str) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words and b"containerd-shim" in words[0] and any(w.startswith(directory.encode()) for w in words):
                yield int(entry.name)


if __name__ == "__main__":  # a node to play with, until Enter is pressed
    with node() as playground:
        print(playground, file=sys.stderr)
        sys.stdin.readline()
