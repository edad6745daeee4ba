"""Roles for people and for what they run: cluster-admin, admin, edit, view ("User-facing roles"). Pure."""

from weft.apiserver.auth.bootstrap.declare import (
    APPS,
    AUTHENTICATION,
    AUTHORIZATION,
    AUTOSCALING,
    BATCH,
    COORDINATION,
    CORE,
    DISCOVERY,
    EVENTS,
    EXTENSIONS,
    NETWORKING,
    POLICY,
    RBAC,
    READ,
    RESOURCE,
    WRITE,
    Bound,
    Role,
    group,
    may,
    may_path,
)
from weft.apiserver.auth.identity import AUTHENTICATED, MASTERS, SERVICE_ACCOUNTS, UNAUTHENTICATED

_WORKLOADS = (
    "statefulsets statefulsets/scale daemonsets deployments deployments/scale deployments/rollback "
    "replicasets replicasets/scale"
)
_HEALTH = "/livez /readyz /healthz"

_VIEW = (
    may(
        READ,
        "pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status endpoints "
        "persistentvolumeclaims persistentvolumeclaims/status configmaps limitranges resourcequotas bindings "
        "pods/status resourcequotas/status namespaces/status replicationcontrollers/status pods/log namespaces",
    ),
    may(READ, "events", CORE, EVENTS),
    may(READ, "endpointslices", DISCOVERY),
    may(
        READ,
        "controllerrevisions statefulsets statefulsets/status statefulsets/scale daemonsets daemonsets/status "
        "deployments deployments/status deployments/scale replicasets replicasets/status replicasets/scale",
        APPS,
    ),
    may(READ, "horizontalpodautoscalers horizontalpodautoscalers/status", AUTOSCALING),
    may(READ, "jobs cronjobs cronjobs/status jobs/status", BATCH),
    may(
        READ,
        "daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses ingresses/status "
        "replicasets replicasets/scale replicasets/status replicationcontrollers/scale networkpolicies",
        EXTENSIONS,
    ),
    may(READ, "poddisruptionbudgets poddisruptionbudgets/status", POLICY),
    may(READ, "networkpolicies ingresses ingresses/status", NETWORKING),
    may(READ, "resourceclaims resourceclaims/status resourceclaimtemplates", RESOURCE),
)

_EDIT = (
    # Whoever reads these can act as the pods and ServiceAccounts of the namespace: that is what edit means.
    may(READ, "pods/attach pods/proxy pods/exec pods/portforward secrets services/proxy"),
    may("impersonate", "serviceaccounts"),
    may(
        WRITE,
        "pods pods/attach pods/proxy pods/exec pods/portforward replicationcontrollers replicationcontrollers/scale "
        "serviceaccounts services services/proxy persistentvolumeclaims configmaps secrets",
    ),
    may("create", "pods/eviction serviceaccounts/token"),
    may(WRITE, "events", CORE, EVENTS),
    may(WRITE, _WORKLOADS, APPS),
    may(WRITE, "horizontalpodautoscalers", AUTOSCALING),
    may(WRITE, "jobs cronjobs", BATCH),
    may(
        WRITE,
        "daemonsets deployments deployments/scale deployments/rollback ingresses replicasets replicasets/scale "
        "replicationcontrollers/scale networkpolicies",
        EXTENSIONS,
    ),
    may(WRITE, "poddisruptionbudgets", POLICY),
    may(WRITE, "networkpolicies ingresses", NETWORKING),
    may(f"{READ} {WRITE}", "leases", COORDINATION),
    may(WRITE, "resourceclaims resourceclaimtemplates", RESOURCE),
)

ROLES = (
    Role("cluster-admin", (may("*", "*", "*"), may_path("*", "*"))),
    Role("admin", gathers="admin"),
    Role("edit", gathers="edit", given="admin"),
    Role("view", gathers="view", given="edit"),
    Role(
        "system:aggregate-to-admin",
        (
            may("create", "localsubjectaccessreviews", AUTHORIZATION),
            may(f"{READ} {WRITE}", "roles rolebindings", RBAC),
        ),
        given="admin",
    ),
    Role("system:aggregate-to-edit", _EDIT, given="edit"),
    Role("system:aggregate-to-view", _VIEW, given="view"),
    Role(
        "system:discovery",
        (may_path("get", f"{_HEALTH} /version /version/ /openapi /openapi/* /api /api/* /apis /apis/*"),),
    ),
    Role("system:public-info-viewer", (may_path("get", f"{_HEALTH} /version /version/"),)),
    Role(
        "system:basic-user",
        (
            may("create", "selfsubjectaccessreviews selfsubjectrulesreviews", AUTHORIZATION),
            may("create", "selfsubjectreviews", AUTHENTICATION),
        ),
    ),
    Role(
        "system:monitoring",
        (
            may_path("get", f"/metrics /metrics/slis {_HEALTH} /livez/* /readyz/* /healthz/* /flagz /statusz"),
            may("get", "nodes/metrics"),
        ),
    ),
    Role(
        "system:auth-delegator",
        (may("create", "tokenreviews", AUTHENTICATION), may("create", "subjectaccessreviews", AUTHORIZATION)),
    ),
    Role(
        "system:service-account-issuer-discovery",
        (
            may_path(
                "get",
                "/.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/",
            ),
        ),
    ),
)

BINDINGS = (
    Bound("cluster-admin", (group(MASTERS),)),
    Bound("system:monitoring", (group("system:monitoring"),)),
    Bound("system:discovery", (group(AUTHENTICATED),)),
    Bound("system:basic-user", (group(AUTHENTICATED),)),
    Bound("system:public-info-viewer", (group(AUTHENTICATED), group(UNAUTHENTICATED))),
    Bound("system:service-account-issuer-discovery", (group(SERVICE_ACCOUNTS),)),
)
