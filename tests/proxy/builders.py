"""Short ways to write Services, slices and endpoints in tests."""

from typing import Any

import msgspec

from weft.cluster.objects.service import Service
from weft.proxy.objects import EndpointSlice


def service(name: str = "web", cluster_ip: str = "10.96.0.10", *ports: dict[str, Any], **spec: Any) -> Service:
    """A Service in `default`; without `ports`, TCP 80 → 8080."""
    labels, status = spec.pop("labels", None), spec.pop("status", {})
    spec.setdefault("clusterIPs", [cluster_ip])
    return msgspec.convert(
        {
            "metadata": {"name": name, "namespace": "default", "labels": labels},
            "spec": {"clusterIP": cluster_ip, "ports": list(ports) or [{"port": 80, "targetPort": 8080}], **spec},
            "status": status,
        },
        Service,
    )


def endpoint(address: str, node: str = "node1", **fields: Any) -> dict[str, Any]:
    conditions = fields.pop("conditions", {"ready": True, "serving": True, "terminating": False})
    return {"addresses": [address], "nodeName": node, "conditions": conditions, **fields}


def endpoint_slice(
    *endpoints: dict[str, Any],
    service: str = "web",
    name: str = "",
    ports: list[dict[str, Any]] | None = None,
    address_type: str = "IPv4",
) -> EndpointSlice:
    return msgspec.convert(
        {
            "metadata": {
                "name": name or f"{service}-1",
                "namespace": "default",
                "labels": {"kubernetes.io/service-name": service},
            },
            "addressType": address_type,
            "endpoints": list(endpoints),
            "ports": ports if ports is not None else [{"name": "", "port": 8080, "protocol": "TCP"}],
        },
        EndpointSlice,
    )
