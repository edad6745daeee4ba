"""Defaults of EndpointSlices (pkg/apis/discovery/v1/defaults.go)."""

from weft.apiserver.registry.kind import Object


def default_endpoint_slice(endpoint_slice: Object) -> None:
    endpoint_slice["endpoints"] = endpoint_slice.get("endpoints") or []
    for port in endpoint_slice.get("ports") or ():
        port.setdefault("name", "")
        port.setdefault("protocol", "TCP")
