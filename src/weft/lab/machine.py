"""A lab as a whole on this machine: made, started, found running, stopped, removed."""

import contextlib
import fcntl
import json
import logging
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec

from weft.addresses import parse_prefix
from weft.lab import cgroups, checks, namespaces, underlay
from weft.lab.config import LabConfig, free_subnet, underlay_v4
from weft.lab.images.store import ImageStore
from weft.lab.layout import LOG, NETNS, RUN, STATE, Layout
from weft.lab.pki import ensure, write_kubeconfig
from weft.lab.pki import kubeconfig as render_kubeconfig
from weft.lab.supervisor import Child, Supervisor, fork

_log = logging.getLogger(__name__)


class LabError(Exception):
    """One line for the user: what cannot be done, and the remedy."""


def saved(layout: Layout) -> LabConfig | None:
    """The configuration with which the lab was made, or None where there is no such lab."""
    try:
        return msgspec.json.decode(layout.config.read_bytes(), type=LabConfig)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise LabError(f"{layout.config}: is damaged: {error} (remove the lab: weft down)") from None


def names() -> list[str]:
    """All labs on this machine, running or stopped."""
    return sorted(path.parent.name for path in STATE.glob("*/lab.json"))


def supervisor_pid(layout: Layout) -> int:
    """The running supervisor, or 0."""
    try:
        pid = int(json.loads(layout.supervisor_status.read_text())["pid"])
    except (FileNotFoundError, ValueError, KeyError):
        return 0
    return pid if pid in cgroups.processes(layout.cgroup) else 0


@contextlib.contextmanager
def locked(layout: Layout) -> Iterator[None]:
    """One command at a time changes a lab."""
    layout.run.mkdir(parents=True, exist_ok=True)
    handle = os.open(layout.run, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError(f"lab {layout.name}: another weft command is changing it (try again later)") from None
        yield
    finally:
        os.close(handle)


def place(config: LabConfig) -> LabConfig:
    """`config` with an underlay that neither this host's routes nor another lab use."""
    others = [underlay_v4(lab.subnet) for name in names() if (lab := saved(Layout(name)))]
    own = [parse_prefix(text) for text in (*config.pod_ranges, *config.service_ranges)]
    return replace(config, subnet=free_subnet([*underlay.taken(), *others, *own]))


def prepare(config: LabConfig, layout: Layout, system_images: Callable[[ImageStore], None]) -> None:
    """Everything on disk, and the namespaces. What `remove` takes away again, whatever instant it is left at."""
    problems = list(checks.problems())
    if problems:
        raise LabError(problems[0])
    _load_modules()
    for directory in (layout.state, layout.run, layout.log):
        directory.mkdir(parents=True, exist_ok=True)
    layout.state.chmod(0o711)
    _save(config, layout)
    for node in config.node_names():
        cgroups.create(layout.node_cgroup(node))
        layout.node_state(node).mkdir(parents=True, exist_ok=True)
        layout.node_run(node).mkdir(parents=True, exist_ok=True)
    underlay.create(config, layout)
    pki = ensure(
        layout.pki,
        nodes={node: [str(a) for a in config.node_addresses(node)] for node in config.node_names()},
        addresses=[str(a) for a in (*config.control_plane_addresses(), *config.service_address(1))],
    )
    identities = dict(pki.clients) | {f"kubelet-{node}": pki.nodes[node].client for node in config.node_names()}
    cluster = f"weft-{config.name}"
    for user, pair in identities.items():
        path = layout.admin_kubeconfig if user == "admin" else layout.kubeconfig(user)
        write_kubeconfig(path, render_kubeconfig(config.api_server, pki, pair, cluster=cluster, user=user))
    system_images(ImageStore(layout.images))


def _save(config: LabConfig, layout: Layout) -> None:
    temporary = layout.config.with_suffix(".new")
    temporary.write_bytes(msgspec.json.format(msgspec.json.encode(config)))
    temporary.replace(layout.config)


def _load_modules() -> None:
    if shutil.which("modprobe") and Path(f"/lib/modules/{os.uname().release}").exists():
        subprocess.run(["modprobe", "-qab", *checks.MODULES], check=False, timeout=30)


def start(layout: Layout, children: list[Child]) -> int:
    """Forks the supervisor, which leaves the caller's session and terminal; returns its pid."""
    return fork(Child("supervisor", lambda: _supervise(layout, children), layout.component_log("supervisor")))


def _supervise(layout: Layout, children: list[Child]) -> int:
    os.setsid()
    os.chdir("/")
    cgroups.join(layout.cgroup)
    Path("/proc/self/comm").write_text("weft-supervisor")
    return Supervisor(children, layout.supervisor_status).run()


def stop(config: LabConfig, layout: Layout) -> None:
    """Ends every process and takes the links away; the state on disk stays."""
    pid = supervisor_pid(layout)
    if pid:
        _end(pid, grace=2.0)
    cgroups.kill(layout.cgroup)
    underlay.remove(config, layout)
    cgroups.remove(layout.cgroup)
    _unmount(layout)
    shutil.rmtree(layout.run, ignore_errors=True)


def _end(pid: int, grace: float) -> None:
    """SIGTERM, so that the API server closes its store; what then is left is killed by cgroup."""
    try:
        handle = os.pidfd_open(pid)
        signal.pidfd_send_signal(handle, signal.SIGTERM)
    except ProcessLookupError:
        return
    deadline = time.monotonic() + grace
    while time.monotonic() < deadline:
        try:
            if os.waitpid(pid, os.WNOHANG)[0]:
                break
        except ChildProcessError:
            pass
        try:
            signal.pidfd_send_signal(handle, 0)
        except ProcessLookupError:
            break
        time.sleep(0.01)
    os.close(handle)


def remove(layout: Layout) -> None:
    """Removes the lab without a trace, in whatever state it is."""
    config = saved(layout)
    pid = supervisor_pid(layout)
    if pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)  # first, or it would start again what we end
    cgroups.kill(layout.cgroup)
    if config:
        underlay.remove(config, layout)
    cgroups.remove(layout.cgroup)
    _unmount(layout)
    for directory in (layout.run, layout.log, layout.state):
        shutil.rmtree(directory, ignore_errors=True)
    for parent in (RUN, LOG, STATE):
        with contextlib.suppress(OSError):
            parent.rmdir()  # the last lab's leaving
    _leave_netns_directory()


def _unmount(layout: Layout) -> None:
    """Mounts of a lab live in its nodes' mount namespaces; this finds the ones that strayed into the host's."""
    for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
        target = line.split()[1].replace("\\040", " ")
        if Path(target).is_relative_to(layout.state) or Path(target).is_relative_to(layout.run):
            with contextlib.suppress(OSError):
                namespaces.unmount(target)


def _leave_netns_directory() -> None:
    """/run/netns is a mount once anyone has named a namespace; empty, it is taken away as it was before."""
    if NETNS.is_dir() and not any(NETNS.iterdir()):
        for _ in range(2):  # two of them, where it had to be mounted to be shared
            with contextlib.suppress(OSError):
                namespaces.unmount(NETNS)
        with contextlib.suppress(OSError):
            NETNS.rmdir()
