"""What Weft's own parts need beyond upstream's roles. Pure."""

from weft.apiserver.auth.bootstrap.controllers import RULES as CONTROLLER_RULES
from weft.apiserver.auth.bootstrap.declare import (
    DISCOVERY,
    READ,
    RECORD_EVENTS,
    Bound,
    Role,
    account,
    may,
    user,
)

ROLES = (
    Role(
        "system:weft:controllers",
        tuple(dict.fromkeys(rule for rules in CONTROLLER_RULES.values() for rule in rules)),
    ),
    Role(
        "system:weft:network",
        (
            may(READ, "nodes"),
            may("patch", "nodes/status"),
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
