"""Roles of the controllers, each bound to its ServiceAccount in kube-system ("Roles for built-in controllers"). Pure.

Those of controllers that Weft does not have are left out; a controller that comes brings its row.
"""

from collections.abc import Mapping

from weft.apiserver.auth.bootstrap.declare import (
    APPS,
    DISCOVERY,
    EXTENSIONS,
    RBAC,
    READ,
    RECORD_EVENTS,
    Bound,
    Role,
    account,
    may,
)
from weft.apiserver.auth.rbac.rule import Rule

PREFIX = "system:controller:"
_LEGACY = (APPS, EXTENSIONS)

RULES: Mapping[str, tuple[Rule, ...]] = {
    "clusterrole-aggregation-controller": (may(f"escalate {READ} update patch", "clusterroles", RBAC),),
    "daemon-set-controller": (
        may(READ, "daemonsets", *_LEGACY),
        may("update", "daemonsets/status daemonsets/finalizers", *_LEGACY),
        may("list watch", "nodes"),
        may("list watch create delete patch", "pods"),
        may("create", "pods/binding"),
        may(f"{READ} create delete update patch", "controllerrevisions", APPS),
        RECORD_EVENTS,
    ),
    "deployment-controller": (
        may(f"{READ} update", "deployments", *_LEGACY),
        may("update", "deployments/status deployments/finalizers", *_LEGACY),
        may(f"{READ} create update patch delete", "replicasets", *_LEGACY),
        may(f"{READ} update", "pods"),
        RECORD_EVENTS,
    ),
    "endpoint-controller": (
        may(READ, "services pods"),
        may(f"{READ} create update delete", "endpoints"),
        may("create", "endpoints/restricted"),
        RECORD_EVENTS,
    ),
    "endpointslice-controller": (
        may(READ, "services pods nodes"),
        may("update", "services/finalizers"),
        may(f"{READ} create update delete", "endpointslices", DISCOVERY),
        RECORD_EVENTS,
    ),
    "endpointslicemirroring-controller": (
        may(READ, "services endpoints"),
        may("update", "services/finalizers endpoints/finalizers"),
        may(f"{READ} create update delete", "endpointslices", DISCOVERY),
        RECORD_EVENTS,
    ),
    "generic-garbage-collector": (may(f"{READ} patch update delete", "*", "*"), RECORD_EVENTS),
    "namespace-controller": (
        may(f"{READ} delete", "namespaces"),
        may("update", "namespaces/finalize namespaces/status"),
        may(f"{READ} delete deletecollection", "*", "*"),
    ),
    "node-controller": (
        may(f"{READ} update delete patch", "nodes"),
        may("patch update", "nodes/status pods/status"),
        may(f"{READ} delete", "pods"),
        RECORD_EVENTS,
    ),
    "pod-garbage-collector": (
        may("list watch delete", "pods"),
        may(READ, "nodes"),
        may("patch", "pods/status"),
    ),
    "replicaset-controller": (
        may(f"{READ} update", "replicasets", *_LEGACY),
        may("update", "replicasets/status replicasets/finalizers", *_LEGACY),
        may("list watch patch create delete", "pods"),
        RECORD_EVENTS,
    ),
    "root-ca-cert-publisher": (may("create update", "configmaps"), RECORD_EVENTS),
    "route-controller": (may("list watch", "nodes"), may("patch", "nodes/status"), RECORD_EVENTS),
    "service-account-controller": (may("create", "serviceaccounts"), RECORD_EVENTS),
    "service-controller": (
        may(READ, "services"),
        may("patch update", "services/status"),
        may("list watch", "nodes"),
        RECORD_EVENTS,
    ),
    "ttl-controller": (may("update patch list watch", "nodes"), RECORD_EVENTS),
}

ROLES = tuple(Role(f"{PREFIX}{name}", rules) for name, rules in RULES.items())
BINDINGS = tuple(Bound(f"{PREFIX}{name}", (account("kube-system", name),)) for name in RULES)
