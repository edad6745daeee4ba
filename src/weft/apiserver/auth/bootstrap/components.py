"""Roles for the parts of a cluster: node, scheduler, proxy, controller manager ("Core component roles"). Pure."""

from weft.apiserver.auth.bootstrap.declare import (
    APPS,
    AUTHENTICATION,
    AUTHORIZATION,
    CERTIFICATES,
    COORDINATION,
    CORE,
    DISCOVERY,
    EVENTS,
    EXTENSIONS,
    NETWORKING,
    POLICY,
    READ,
    RECORD_EVENTS,
    RESOURCE,
    STORAGE,
    Bound,
    Role,
    account,
    may,
    user,
)

_REVIEW = (may("create", "tokenreviews", AUTHENTICATION), may("create", "subjectaccessreviews", AUTHORIZATION))
_CONTROLLER_MANAGER = user("system:kube-controller-manager")
_SCHEDULER = user("system:kube-scheduler")

# The node authorizer narrows these to the node's own, NodeRestriction what is written.
NODE_RULES = (
    may("create", "tokenreviews", AUTHENTICATION),
    may("create", "subjectaccessreviews localsubjectaccessreviews", AUTHORIZATION),
    may(READ, "services"),
    may(f"create update patch {READ}", "nodes"),
    may("update patch", "nodes/status"),
    may("create update patch", "events", CORE, EVENTS),
    may(f"create delete {READ}", "pods"),
    may("update patch", "pods/status"),
    may("create", "pods/eviction"),
    may(READ, "secrets configmaps"),
    may("get", "persistentvolumeclaims persistentvolumes endpoints serviceaccounts"),
    may("get update patch", "persistentvolumeclaims/status"),
    may("create", "serviceaccounts/token"),
    may(f"create {READ}", "certificatesigningrequests", CERTIFICATES),
    may("get create update patch delete", "leases", COORDINATION),
    may("get", "volumeattachments", STORAGE),
    may(READ, "csidrivers", STORAGE),
    may("get create update patch delete", "csinodes", STORAGE),
    may(READ, "runtimeclasses", "node.k8s.io"),
    may("get", "resourceclaims", RESOURCE),
    may("deletecollection", "resourceslices", RESOURCE),
)

_SCHEDULER_RULES = (
    RECORD_EVENTS,
    may("create", "leases", COORDINATION),
    may("get update list watch", "leases", COORDINATION, names="kube-scheduler"),
    may(f"{READ} create update patch delete deletecollection", "leasecandidates", COORDINATION),
    may(READ, "nodes services replicationcontrollers persistentvolumeclaims persistentvolumes namespaces"),
    may(f"{READ} delete", "pods"),
    may("create", "pods/binding bindings"),
    may("patch update", "pods/status"),
    may("update", "pods/finalizers"),
    may(READ, "replicasets", APPS, EXTENSIONS),
    may(READ, "statefulsets", APPS),
    may(READ, "poddisruptionbudgets", POLICY),
    *_REVIEW,
    may(READ, "csinodes volumeattachments csidrivers csistoragecapacities", STORAGE),
    may(READ, "deviceclasses resourceslices", RESOURCE),
    may(f"{READ} create update patch delete", "resourceclaims", RESOURCE),
    may(f"{READ} update patch", "resourceclaims/status", RESOURCE),
    may("update patch", "resourceclaims/binding", RESOURCE),
)

ROLES = (
    Role("system:node", NODE_RULES),
    Role("system:node-problem-detector", (may("get", "nodes"), may("patch", "nodes/status"), RECORD_EVENTS)),
    Role("system:node-bootstrapper", (may(f"create {READ}", "certificatesigningrequests", CERTIFICATES),)),
    Role(
        "system:node-proxier",
        (
            may("list watch", "services endpoints"),
            may(READ, "nodes"),
            RECORD_EVENTS,
            may("list watch", "servicecidrs", NETWORKING),
            may("list watch", "endpointslices", DISCOVERY),
        ),
    ),
    Role(
        "system:kubelet-api-admin",
        (
            may(READ, "nodes"),
            may("proxy", "nodes"),
            may("*", "nodes/proxy nodes/metrics nodes/stats nodes/log nodes/pods nodes/healthz nodes/configz"),
        ),
    ),
    Role("system:kube-scheduler", _SCHEDULER_RULES),
    Role(
        "system:volume-scheduler",
        (
            may(f"{READ} update patch", "persistentvolumes persistentvolumeclaims"),
            may(READ, "storageclasses", STORAGE),
        ),
    ),
    Role(
        "system:kube-controller-manager",
        (
            RECORD_EVENTS,
            may("create", "leases", COORDINATION),
            may("get update", "leases", COORDINATION, names="kube-controller-manager"),
            may("create", "secrets serviceaccounts serviceaccounts/token"),
            may("delete", "secrets"),
            may("get", "namespaces secrets serviceaccounts configmaps"),
            may("update", "secrets serviceaccounts"),
            *_REVIEW,
            may("list watch", "*", "*"),
        ),
    ),
    Role("system:kube-aggregator", (may(READ, "services endpoints"),)),
    Role("system:kube-dns", (may("list watch", "endpoints services"),)),
    # In kube-system only: who runs there reads what the API server trusts, and locks what it leads.
    Role(
        "extension-apiserver-authentication-reader",
        (may(READ, "configmaps", names="extension-apiserver-authentication"),),
        namespace="kube-system",
    ),
    *(
        Role(
            f"system::leader-locking-{name}",
            (may(f"{READ} create update", "leases leasecandidates", COORDINATION),),
            namespace="kube-system",
        )
        for name in ("kube-controller-manager", "kube-scheduler")
    ),
)

BINDINGS = (
    # Nodes are authorized by the node authorizer; the binding is there for those who look for it.
    Bound("system:node"),
    Bound("system:node-proxier", (user("system:kube-proxy"),)),
    Bound("system:kube-controller-manager", (_CONTROLLER_MANAGER,)),
    Bound("system:kube-scheduler", (_SCHEDULER,)),
    Bound("system:volume-scheduler", (_SCHEDULER,)),
    Bound("system:kube-dns", (account("kube-system", "kube-dns"),)),
    Bound(
        "system::extension-apiserver-authentication-reader",
        (_CONTROLLER_MANAGER, _SCHEDULER),
        role="extension-apiserver-authentication-reader",
        namespace="kube-system",
    ),
    Bound(
        "system::leader-locking-kube-controller-manager",
        (
            _CONTROLLER_MANAGER,
            account("kube-system", "kube-controller-manager"),
            account("kube-system", "leader-election-controller"),
        ),
        namespace="kube-system",
    ),
    Bound(
        "system::leader-locking-kube-scheduler",
        (_SCHEDULER, account("kube-system", "kube-scheduler")),
        namespace="kube-system",
    ),
)
