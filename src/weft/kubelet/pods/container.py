"""The runtime's request for a container (runtime.v1 ContainerConfig), made of its part of a pod. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weft.cluster.objects.container import Container, SeccompProfile
from weft.cluster.objects.pod import Pod
from weft.kubelet.cri import model
from weft.kubelet.cri.model import ImageFacts
from weft.kubelet.env.environment import ConfigError
from weft.kubelet.env.expand import expand
from weft.kubelet.pods.identity import container_hash, pod_key
from weft.kubelet.pods.resources import container_resources
from weft.kubelet.pods.sandbox import namespace_options, pod_labels, supplemental_groups

_MASKED = (
    "/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
    "/sys/devices/virtual/powercap",
)  # fmt: skip
_READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


@dataclass(frozen=True, slots=True)
class Mount:
    """One bind mount into a container."""

    host_path: str
    container_path: str
    read_only: bool = False
    propagation: str = "PROPAGATION_PRIVATE"


def container_config(
    pod: Pod,
    container: Container,
    attempt: int,
    *,
    image: ImageFacts,
    environment: Mapping[str, str],
    mounts: Sequence[Mount],
    memory_capacity: int,
    cgroup_files: Mapping[str, str] | None = None,
    target: str = "",
) -> dict[str, Any]:
    """`target`: id of the container whose processes an ephemeral one shares. Raises ConfigError."""
    check_user(pod, container, image)
    config: dict[str, Any] = {
        "metadata": {"name": container.name, "attempt": attempt},
        "image": {"image": image.id, "user_specified_image": container.image},
        "command": [expand(word, environment) for word in container.command or ()],
        "args": [expand(word, environment) for word in container.args or ()],
        "working_dir": container.working_dir,
        "envs": [{"key": name, "value": value} for name, value in environment.items()],
        "mounts": [
            {
                "host_path": mount.host_path,
                "container_path": mount.container_path,
                "readonly": mount.read_only,
                "propagation": mount.propagation,
            }
            for mount in mounts
        ],
        "labels": {**pod_labels(pod), model.CONTAINER_NAME: container.name},
        "annotations": _annotations(pod, container, attempt),
        "log_path": f"{container.name}/{attempt}.log",
        "stdin": container.stdin,
        "stdin_once": container.stdin_once,
        "tty": container.tty,
        "linux": {
            "resources": container_resources(pod, container, memory_capacity, cgroup_files),
            "security_context": _security(pod, container, image, target),
        },
    }
    return config


def _annotations(pod: Pod, container: Container, attempt: int) -> dict[str, str]:
    grace = pod.spec.termination_grace_period_seconds
    return {
        model.CONTAINER_HASH: container_hash(container),
        model.RESTART_COUNT: str(attempt),
        model.TERMINATION_PATH: container.termination_message_path,
        model.TERMINATION_POLICY: container.termination_message_policy,
        model.GRACE_PERIOD: str(30 if grace is None else grace),
    }


def check_user(pod: Pod, container: Container, image: ImageFacts) -> None:
    """runAsNonRoot: refuses root, and users of an image whose number is not known."""
    own, shared = container.security_context, pod.spec.security_context
    non_root = _first(own.run_as_non_root if own else None, shared.run_as_non_root if shared else None)
    if not non_root:
        return
    user = _first(own.run_as_user if own else None, shared.run_as_user if shared else None)
    where = f'(pod: "{pod_key(pod)}", container: {container.name})'
    if user is not None:
        if user == 0:
            raise ConfigError(f"container's runAsUser breaks non-root policy {where}")
        return
    if image.uid == 0 or (image.uid is None and not image.username):
        raise ConfigError(f"container has runAsNonRoot and image will run as root {where}")
    if image.uid is None:
        raise ConfigError(
            f"container has runAsNonRoot and image has non-numeric user ({image.username}), "
            f"cannot verify user is non-root {where}"
        )


def _security(pod: Pod, container: Container, image: ImageFacts, target: str) -> dict[str, Any]:
    own, shared = container.security_context, pod.spec.security_context
    privileged = bool(own and own.privileged)
    made: dict[str, Any] = {
        "namespace_options": namespace_options(pod, target),
        "privileged": privileged,
        "readonly_rootfs": bool(own and own.read_only_root_filesystem),
        "no_new_privs": bool(own and own.allow_privilege_escalation is False),
        "supplemental_groups": supplemental_groups(pod),
        "seccomp": _seccomp(
            (own.seccomp_profile if own else None) or (shared.seccomp_profile if shared else None), privileged
        ),
    }
    if own and own.capabilities:
        made["capabilities"] = {
            "add_capabilities": list(own.capabilities.add or ()),
            "drop_capabilities": list(own.capabilities.drop or ()),
        }
    if not (privileged or (own and own.proc_mount == "Unmasked")):
        made["masked_paths"], made["readonly_paths"] = list(_MASKED), list(_READ_ONLY)
    user = _first(own.run_as_user if own else None, shared.run_as_user if shared else None)
    group = _first(own.run_as_group if own else None, shared.run_as_group if shared else None)
    if user is None and image.uid is not None:
        user = image.uid
    if user is not None:
        made["run_as_user"] = {"value": user}
    elif image.username:
        made["run_as_username"] = image.username
    if group is not None and (user is not None or image.username):
        made["run_as_group"] = {"value": group}
    elif group is not None:
        made["run_as_user"], made["run_as_group"] = {"value": 0}, {"value": group}
    return made


def _seccomp(profile: SeccompProfile | None, privileged: bool) -> dict[str, Any]:
    if profile is None or privileged or profile.type == "Unconfined":
        return {"profile_type": "Unconfined"}
    if profile.type == "Localhost":
        return {"profile_type": "Localhost", "localhost_ref": profile.localhost_profile or ""}
    return {"profile_type": "RuntimeDefault"}


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)
