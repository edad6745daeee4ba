"""What a cluster needs so that this DNS serves it: the objects that kubeadm makes for CoreDNS. Pure."""

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any

from weft.dns.message import names

Object = dict[str, Any]

_LABELS = {"k8s-app": "kube-dns"}
_NAMESPACE = "kube-system"


def corefile(domain: str = "cluster.local") -> str:
    """kubeadm's Corefile. Raises ValueError where `domain` is no domain name, so that no other text gets in."""
    zone = names.to_text(names.from_text(domain)).removesuffix(".")
    if zone != domain.removesuffix(".") or not zone or set(zone) & set(' \\{}"#$%'):
        raise ValueError(f"domain: {domain!r} is not a domain name (give one such as cluster.local)")
    return f""".:53 {{
    errors
    health {{
       lameduck 5s
    }}
    ready
    kubernetes {zone} in-addr.arpa ip6.arpa {{
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }}
    prometheus :9153
    forward . /etc/resolv.conf {{
       max_concurrent 1000
    }}
    cache 30
    loop
    reload
    loadbalance
}}
"""


def objects(
    image: str,
    cluster_dns_ip: str,
    domain: str = "cluster.local",
    dual_stack: bool = False,
    *,
    command: Sequence[str] = ("python3", "-m", "weft.dns"),
    replicas: int = 2,
) -> list[Object]:
    """The objects in the order in which they are to be created.

    `image` holds the weft package; `command` starts this component in it. `cluster_dns_ip` is the Service's address;
    with `dual_stack` the other family's is left to the API server. Raises ValueError for a bad address or domain.
    """
    address = str(ip_address(cluster_dns_ip))
    return [
        _object("v1", "ServiceAccount", "coredns", labels=_LABELS),
        _cluster_role(),
        _cluster_role_binding(),
        {**_object("v1", "ConfigMap", "coredns"), "data": {"Corefile": corefile(domain)}},
        _deployment(image, command, replicas),
        _service(address, dual_stack),
    ]


def _object(api_version: str, kind: str, name: str, *, namespace: str = _NAMESPACE, **metadata: Any) -> Object:
    where = {"namespace": namespace} if namespace else {}
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, **where, **metadata}}


def _cluster_role() -> Object:
    return {
        **_object("rbac.authorization.k8s.io/v1", "ClusterRole", "system:coredns", namespace=""),
        "rules": [
            {"apiGroups": [""], "resources": ["services", "namespaces", "pods"], "verbs": ["list", "watch"]},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
        ],
    }


def _cluster_role_binding() -> Object:
    return {
        **_object("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "system:coredns", namespace=""),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:coredns"},
        "subjects": [{"kind": "ServiceAccount", "name": "coredns", "namespace": _NAMESPACE}],
    }


def _deployment(image: str, command: Sequence[str], replicas: int) -> Object:
    return {
        **_object("apps/v1", "Deployment", "coredns", labels=_LABELS),
        "spec": {
            "replicas": replicas,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
            "selector": {"matchLabels": _LABELS},
            "template": {"metadata": {"labels": _LABELS}, "spec": _pod_spec(image, command)},
        },
    }


def _pod_spec(image: str, command: Sequence[str]) -> Object:
    term = {
        "labelSelector": {"matchExpressions": [{"key": "k8s-app", "operator": "In", "values": ["kube-dns"]}]},
        "topologyKey": "kubernetes.io/hostname",
    }
    return {
        "serviceAccountName": "coredns",
        "priorityClassName": "system-cluster-critical",
        "dnsPolicy": "Default",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [
            {"key": "CriticalAddonsOnly", "operator": "Exists"},
            {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"},
        ],
        "affinity": {
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]
            }
        },
        "containers": [_container(image, command)],
        "volumes": [
            {
                "name": "config-volume",
                "configMap": {"name": "coredns", "items": [{"key": "Corefile", "path": "Corefile"}]},
            }
        ],
    }


def _container(image: str, command: Sequence[str]) -> Object:
    return {
        "name": "coredns",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": list(command),
        "args": ["-conf", "/etc/coredns/Corefile"],
        "resources": {"limits": {"memory": "170Mi"}, "requests": {"cpu": "50m", "memory": "40Mi"}},
        "volumeMounts": [{"name": "config-volume", "mountPath": "/etc/coredns", "readOnly": True}],
        "ports": [
            {"containerPort": 53, "name": "dns", "protocol": "UDP"},
            {"containerPort": 53, "name": "dns-tcp", "protocol": "TCP"},
            {"containerPort": 9153, "name": "metrics", "protocol": "TCP"},
            {"containerPort": 8080, "name": "liveness-probe", "protocol": "TCP"},
            {"containerPort": 8181, "name": "readiness-probe", "protocol": "TCP"},
        ],
        "livenessProbe": {
            "httpGet": {"path": "/health", "port": "liveness-probe", "scheme": "HTTP"},
            "initialDelaySeconds": 10,
            "periodSeconds": 10,
            "timeoutSeconds": 5,
            "failureThreshold": 5,
        },
        "readinessProbe": {
            "httpGet": {"path": "/ready", "port": "readiness-probe", "scheme": "HTTP"},
            "periodSeconds": 1,
            "timeoutSeconds": 1,
            "failureThreshold": 3,
        },
        # What it does is bind port 53, read one file and talk to the API server.
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
    }


def _service(address: str, dual_stack: bool) -> Object:
    labels = {**_LABELS, "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS"}
    annotations = {"prometheus.io/port": "9153", "prometheus.io/scrape": "true"}
    return {
        **_object("v1", "Service", "kube-dns", labels=labels, annotations=annotations),
        "spec": {
            "selector": _LABELS,
            "clusterIP": address,
            **({"ipFamilyPolicy": "PreferDualStack"} if dual_stack else {}),
            "ports": [
                {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53},
                {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53},
                {"name": "metrics", "port": 9153, "protocol": "TCP", "targetPort": 9153},
            ],
        },
    }
