"""Defaults of Services (pkg/apis/core/v1/defaults.go). Families and addresses come at admission."""

from weft.apiserver.registry.kind import Object

AFFINITY_SECONDS = 10800
_ADDRESSED = ("ClusterIP", "NodePort", "LoadBalancer")


def default_service(service: Object) -> None:
    spec = service.setdefault("spec", {})
    spec.setdefault("type", "ClusterIP")
    _default_affinity(spec)
    for port in spec.get("ports", ()):
        port.setdefault("protocol", "TCP")
        if not port.get("targetPort"):
            port["targetPort"] = port.get("port", 0)
    if externally_accessible(spec):
        spec["externalTrafficPolicy"] = spec.get("externalTrafficPolicy") or "Cluster"
    if spec["type"] in _ADDRESSED:
        spec.setdefault("internalTrafficPolicy", "Cluster")
    status = service.setdefault("status", {})
    balancer = status.setdefault("loadBalancer", {})
    if spec["type"] == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
        for entry in balancer.get("ingress", ()):
            if entry.get("ip"):
                entry.setdefault("ipMode", "VIP")


def externally_accessible(spec: Object) -> bool:
    return spec.get("type") in ("NodePort", "LoadBalancer") or (
        spec.get("type") == "ClusterIP" and bool(spec.get("externalIPs"))
    )


def _default_affinity(spec: Object) -> None:
    spec.setdefault("sessionAffinity", "None")
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    elif spec["sessionAffinity"] == "ClientIP":
        client = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
        if client.get("timeoutSeconds") is None:
            spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": AFFINITY_SECONDS}}
