"""How a pod and its containers are named in the runtime, in messages and on disk."""

import hashlib

from weft.cluster.objects.container import Container
from weft.cluster.objects.pod import Pod
from weft.kubelet.cri.model import PodKey

MANAGED_HOSTNAME = 63
"""Longest hostname (RFC 1123); longer pod names are cut."""


def pod_key(pod: Pod) -> PodKey:
    return PodKey(pod.metadata.namespace, pod.metadata.name, pod.metadata.uid)


def container_hash(container: Container) -> str:
    """Changes when a running container must be replaced: its name or image is another."""
    return hashlib.sha256(f"{container.name}\0{container.image}".encode()).hexdigest()[:8]


def containers_of(pod: Pod) -> tuple[Container, ...]:
    """All containers: init, main, ephemeral."""
    spec = pod.spec
    return (*(spec.init_containers or ()), *spec.containers, *(spec.ephemeral_containers or ()))


def find_container(pod: Pod, name: str) -> Container | None:
    return next((c for c in containers_of(pod) if c.name == name), None)


def field_path(pod: Pod, container: Container) -> str:
    """`spec.containers{web}`: which part of the pod an event is about."""
    for part, members in (
        ("initContainers", pod.spec.init_containers),
        ("ephemeralContainers", pod.spec.ephemeral_containers),
    ):
        if any(c.name == container.name for c in members or ()):
            return f"spec.{part}{{{container.name}}}"
    return f"spec.containers{{{container.name}}}"


def hostname(pod: Pod) -> str:
    """The pod's hostname: as asked for, or its name, cut to what Linux takes."""
    return pod.spec.hostname or pod.metadata.name[:MANAGED_HOSTNAME].rstrip("-.")


def domain(pod: Pod, cluster_domain: str) -> str:
    """`SUBDOMAIN.NAMESPACE.svc.DOMAIN` of a pod with a subdomain, else "" ("DNS for Services and Pods")."""
    subdomain = pod.spec.subdomain
    return f"{subdomain}.{pod.metadata.namespace}.svc.{cluster_domain}" if subdomain else ""
