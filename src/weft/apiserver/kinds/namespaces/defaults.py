"""Defaults of Namespaces: the label with the name, the finalizer that empties the namespace, the phase."""

from weft.apiserver.registry.kind import Object

_LABEL = "kubernetes.io/metadata.name"


def default_namespace(namespace: Object) -> None:
    meta = namespace["metadata"]
    if meta.get("name"):
        meta.setdefault("labels", {})[_LABEL] = meta["name"]
    namespace.setdefault("status", {}).setdefault("phase", "Active")


def prepare_create(namespace: Object) -> None:
    """Without the finalizer nothing would hold the namespace back while its contents are deleted."""
    finalizers = namespace.setdefault("spec", {}).setdefault("finalizers", [])
    if "kubernetes" not in finalizers:
        finalizers.append("kubernetes")
