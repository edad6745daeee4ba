"""Defaults of Endpoints (pkg/apis/core/v1/defaults.go)."""

from weft.apiserver.registry.kind import Object


def default_endpoints(endpoints: Object) -> None:
    for subset in endpoints.get("subsets", ()):
        for port in subset.get("ports", ()):
            port.setdefault("protocol", "TCP")
