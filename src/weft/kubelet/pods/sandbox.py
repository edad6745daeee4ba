"""The runtime's request for a pod sandbox (runtime.v1 PodSandboxConfig), made of a pod. Pure."""

from typing import Any

from weft.cluster.objects.pod import Pod
from weft.kubelet.cri import model
from weft.kubelet.files.resolv import Resolver
from weft.kubelet.pods.identity import containers_of
from weft.kubelet.pods.resources import cgroup_parent

NODE, POD, CONTAINER, TARGET = "NODE", "POD", "CONTAINER", "TARGET"


def log_directory(pod: Pod, root: str) -> str:
    """`ROOT/NAMESPACE_NAME_UID`."""
    meta = pod.metadata
    return f"{root.rstrip('/')}/{meta.namespace}_{meta.name}_{meta.uid}"


def sandbox_config(
    pod: Pod, attempt: int, *, hostname: str, resolver: Resolver, log_root: str, cgroup_root: str
) -> dict[str, Any]:
    """`hostname` is the whole name that the sandbox's UTS namespace gets."""
    meta, spec = pod.metadata, pod.spec
    config: dict[str, Any] = {
        "metadata": {"name": meta.name, "namespace": meta.namespace, "uid": meta.uid, "attempt": attempt},
        "log_directory": log_directory(pod, log_root),
        "dns_config": {
            "servers": list(resolver.servers),
            "searches": list(resolver.searches),
            "options": list(resolver.options),
        },
        "labels": {**(meta.labels or {}), **pod_labels(pod)},
        "annotations": dict(meta.annotations or {}),
        "port_mappings": port_mappings(pod),
        "linux": _linux(pod, cgroup_root),
    }
    if not spec.host_network:
        config["hostname"] = hostname
    return config


def pod_labels(pod: Pod) -> dict[str, str]:
    meta = pod.metadata
    return {model.POD_NAME: meta.name, model.POD_NAMESPACE: meta.namespace, model.POD_UID: meta.uid}


def port_mappings(pod: Pod) -> list[dict[str, Any]]:
    """For the CNI plugin that publishes ports; pods in the node's network need none."""
    if pod.spec.host_network:
        return []
    return [
        {
            "protocol": port.protocol,
            "container_port": port.container_port,
            "host_port": port.host_port,
            "host_ip": port.host_ip,
        }
        for container in containers_of(pod)
        for port in container.ports or ()
        if port.host_port
    ]


def namespace_options(pod: Pod, target: str = "") -> dict[str, Any]:
    """Which namespaces are the node's, the pod's or the container's own; `target`: id of the container to join."""
    spec = pod.spec
    pid = NODE if spec.host_pid else POD if spec.share_process_namespace else CONTAINER
    if target:
        return {**namespace_options(pod), "pid": TARGET, "target_id": target}
    return {"network": NODE if spec.host_network else POD, "ipc": NODE if spec.host_ipc else POD, "pid": pid}


def _linux(pod: Pod, cgroup_root: str) -> dict[str, Any]:
    context = pod.spec.security_context
    security: dict[str, Any] = {
        "namespace_options": namespace_options(pod),
        "privileged": any((c.security_context and c.security_context.privileged) for c in containers_of(pod)),
        # The sandbox's own program is trusted, and starts faster without a filter of system calls.
        "seccomp": {"profile_type": "RuntimeDefault"},
    }
    linux: dict[str, Any] = {"cgroup_parent": cgroup_parent(cgroup_root, pod), "security_context": security}
    if context is not None:
        if context.run_as_user is not None:
            security["run_as_user"] = {"value": context.run_as_user}
        if context.run_as_group is not None and context.run_as_user is not None:
            security["run_as_group"] = {"value": context.run_as_group}
        security["supplemental_groups"] = supplemental_groups(pod)
        linux["sysctls"] = {sysctl.name.replace("/", "."): sysctl.value for sysctl in context.sysctls or ()}
    return linux


def supplemental_groups(pod: Pod) -> list[int]:
    context = pod.spec.security_context
    if context is None:
        return []
    return [*([context.fs_group] if context.fs_group is not None else []), *(context.supplemental_groups or ())]
