"""containerd for one node: its configuration, and the command that starts it.

Several containerds share this machine: each has its own root, state, sockets, shims and mounts. Pure but for `write`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PAUSE_IMAGE = "registry.k8s.io/pause:3.10.2"


@dataclass(frozen=True, slots=True)
class ContainerdConfig:
    state: Path
    """Images, snapshots and containers; survives `weft stop`."""
    run: Path
    """Sockets and running tasks; gone with the node."""
    cni_conf_dir: Path
    cni_bin_dir: Path
    mirror: str
    """URL of the lab's registry."""

    @property
    def socket(self) -> Path:
        return self.run / "containerd.sock"

    @property
    def file(self) -> Path:
        return self.state / "containerd.toml"

    @property
    def certs_d(self) -> Path:
        return self.state / "certs.d"


def render(config: ContainerdConfig) -> str:
    """containerd 1.6 and 1.7 configuration, version 2 (containerd docs, "CRI Plugin Config Guide")."""
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    sections: list[tuple[str, Mapping[str, str | bool | int]]] = [
        (
            "",
            {
                "version": 2,
                "root": str(config.state / "containerd"),
                # containerd's own state directory is as good as a tmpfs: the node's /run goes with the node.
                "state": "/run/containerd/state",
            },
        ),
        ("grpc", {"address": str(config.socket)}),
        ("ttrpc", {"address": str(config.run / "containerd.ttrpc")}),
        ("debug", {"level": "warn"}),
        ('plugins."io.containerd.internal.v1.opt"', {"path": str(config.state / "opt")}),
        (
            cri,
            {
                "sandbox_image": PAUSE_IMAGE,
                "restrict_oom_score_adj": True,
                "netns_mounts_under_state_dir": True,
                "stream_server_address": "127.0.0.1",
                "stream_server_port": "0",
                "disable_apparmor": True,
                "max_container_log_line_size": 16384,
            },
        ),
        (f"{cri}.cni", {"bin_dir": str(config.cni_bin_dir), "conf_dir": str(config.cni_conf_dir)}),
        (f"{cri}.registry", {"config_path": str(config.certs_d)}),
        (f"{cri}.containerd", {"default_runtime_name": "runc", "discard_unpacked_layers": True}),
        (f"{cri}.containerd.runtimes.runc", {"runtime_type": "io.containerd.runc.v2"}),
        (f"{cri}.containerd.runtimes.runc.options", {"Root": "/run/containerd/runc", "SystemdCgroup": False}),
    ]
    # What a lab does not need costs memory and start-up time.
    disabled = ", ".join(
        f'"io.containerd.{name}"'
        for name in ("snapshotter.v1.btrfs", "snapshotter.v1.zfs", "snapshotter.v1.devmapper", "snapshotter.v1.aufs",
                     "tracing.processor.v1.otlp", "internal.v1.tracing")
    )  # fmt: skip
    lines = []
    for name, values in sections:
        if name:
            lines.append(f"[{name}]")
        lines += [f"{key} = {_toml(value)}" for key, value in values.items()]
        if not name:
            lines.append(f"disabled_plugins = [{disabled}]")
    return "\n".join(lines) + "\n"


def _toml(value: str | bool | int) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if any(ord(char) < 32 or char in '"\\' for char in value):
        raise ValueError(f"containerd configuration: {value!r} holds a quote, backslash or control character")
    return f'"{value}"'


def hosts_toml(mirror: str) -> str:
    """For the namespace `_default`: the lab's store is asked before any real registry."""
    return f'[host.{_toml(mirror)}]\n  capabilities = ["pull", "resolve"]\n  skip_verify = true\n'


def write(config: ContainerdConfig) -> None:
    for directory in (config.state, config.run, config.cni_conf_dir, config.cni_bin_dir, config.certs_d / "_default"):
        directory.mkdir(parents=True, exist_ok=True)
    config.file.write_text(render(config))
    (config.certs_d / "_default" / "hosts.toml").write_text(hosts_toml(config.mirror))


def command(config: ContainerdConfig) -> Sequence[str]:
    return ("containerd", "--config", str(config.file))
