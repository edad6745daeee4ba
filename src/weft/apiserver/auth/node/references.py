"""What a pod's node must be able to read for it: the objects that the pod's spec refers to. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from weft.apiserver.registry.kind import Object

Reference = tuple[str, str, str]
"""(plural, namespace, name)"""


def references(pod: Object) -> frozenset[Reference]:
    """The pod itself, its ServiceAccount, and its secrets, config maps and claims."""
    namespace, spec = pod["metadata"]["namespace"], pod.get("spec") or {}
    found = [("pods", pod["metadata"]["name"]), ("serviceaccounts", spec.get("serviceAccountName", ""))]
    found += [("secrets", each.get("name", "")) for each in spec.get("imagePullSecrets") or ()]
    for kind in ("containers", "initContainers", "ephemeralContainers"):
        for container in spec.get(kind) or ():
            found += _of_container(container)
    for volume in spec.get("volumes") or ():
        found += _of_volume(pod["metadata"]["name"], volume)
    return frozenset((plural, namespace, name) for plural, name in found if name)


def _of_container(container: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for source in container.get("envFrom") or ():
        yield "secrets", (source.get("secretRef") or {}).get("name", "")
        yield "configmaps", (source.get("configMapRef") or {}).get("name", "")
    for variable in container.get("env") or ():
        source = variable.get("valueFrom") or {}
        yield "secrets", (source.get("secretKeyRef") or {}).get("name", "")
        yield "configmaps", (source.get("configMapKeyRef") or {}).get("name", "")


def _of_volume(pod: str, volume: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "secrets", (volume.get("secret") or {}).get("secretName", "")
    yield "configmaps", (volume.get("configMap") or {}).get("name", "")
    yield "persistentvolumeclaims", (volume.get("persistentVolumeClaim") or {}).get("claimName", "")
    if volume.get("ephemeral"):
        yield "persistentvolumeclaims", f"{pod}-{volume.get('name', '')}"
    yield "secrets", ((volume.get("csi") or {}).get("nodePublishSecretRef") or {}).get("name", "")
    for source in (volume.get("projected") or {}).get("sources") or ():
        yield "secrets", (source.get("secret") or {}).get("name", "")
        yield "configmaps", (source.get("configMap") or {}).get("name", "")
