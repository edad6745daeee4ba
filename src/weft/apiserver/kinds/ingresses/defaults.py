"""Ingresses have no defaults but the shape of their status."""

from weft.apiserver.registry.kind import Object


def default_ingress(ingress: Object) -> None:
    ingress.setdefault("spec", {})
    ingress.setdefault("status", {}).setdefault("loadBalancer", {})
