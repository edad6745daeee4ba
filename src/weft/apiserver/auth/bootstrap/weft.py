"""What Weft's own parts need beyond upstream's roles. Pure."""

from weft.apiserver.auth.bootstrap.controllers import RULES as CONTROLLER_RULES
from weft.apiserver.auth.bootstrap.declare import (
    APPS,
    DISCOVERY,
    NETWORKING,
    READ,
    RECORD_EVENTS,
    Bound,
    Role,
    account,
    may,
    user,
)

# Upstream's controllers update where ours patch: a patch does not conflict with what others write meanwhile.
_PATCHES = (
    may("patch", "deployments deployments/status replicasets replicasets/status daemonsets daemonsets/status", APPS),
    may("patch", "endpoints configmaps services/status namespaces/status"),
    may("patch", "endpointslices", DISCOVERY),
    may("get", "pods nodes"),
)

ROLES = (
    Role(
        "system:weft:controllers",
        (*dict.fromkeys(rule for rules in CONTROLLER_RULES.values() for rule in rules), *_PATCHES),
    ),
    Role(
        "system:weft:network",
        (
            may(READ, "nodes pods namespaces"),
            may("patch", "nodes/status"),
            may(READ, "networkpolicies", NETWORKING),
            RECORD_EVENTS,
        ),
    ),
    Role(
        "system:coredns",
        (
            may("list watch", "endpoints services pods namespaces"),
            may("list watch", "endpointslices", DISCOVERY),
        ),
    ),
)

BINDINGS = (
    # In the lab all controllers run as one user; each role of its own stays for who runs them apart.
    Bound("system:weft:controllers", (user("system:kube-controller-manager"),)),
    Bound("system:weft:network", (user("system:weft:network"),)),
    Bound("system:coredns", (account("kube-system", "coredns"),)),
    Bound("system:weft:kubelet-client", (user("kube-apiserver-kubelet-client"),), role="system:kubelet-api-admin"),
)
