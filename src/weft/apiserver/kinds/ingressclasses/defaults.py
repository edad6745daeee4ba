"""Defaults of IngressClasses (pkg/apis/networking/v1/defaults.go)."""

from weft.apiserver.registry.kind import Object


def default_ingress_class(ingress_class: Object) -> None:
    parameters = ingress_class.get("spec", {}).get("parameters")
    if parameters:
        parameters.setdefault("scope", "Cluster")
