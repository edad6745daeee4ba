"""Every kind that the server serves; a kind has a room of its own here: defaults, validation, columns."""

from weft.apiserver.kinds import (
    configmaps,
    controllerrevisions,
    daemonsets,
    deployments,
    endpoints,
    endpointslices,
    events,
    ingressclasses,
    ingresses,
    leases,
    namespaces,
    networkpolicies,
    nodes,
    pods,
    rbac,
    replicasets,
    secrets,
    serviceaccounts,
    services,
)
from weft.apiserver.kinds.reviews import REVIEWS
from weft.apiserver.registry.kind import Kind

KINDS: tuple[Kind, ...] = (
    namespaces.KIND,
    nodes.KIND,
    pods.KIND,
    services.KIND,
    endpoints.KIND,
    configmaps.KIND,
    secrets.KIND,
    serviceaccounts.KIND,
    events.KIND,
    events.GROUP_KIND,
    endpointslices.KIND,
    leases.KIND,
    deployments.KIND,
    replicasets.KIND,
    daemonsets.KIND,
    controllerrevisions.KIND,
    rbac.ROLE,
    rbac.ROLE_BINDING,
    rbac.CLUSTER_ROLE,
    rbac.CLUSTER_ROLE_BINDING,
    ingresses.KIND,
    ingressclasses.KIND,
    networkpolicies.KIND,
)
"""What is stored. `REVIEWS` (create only, answered and forgotten) are apart; discovery lists both."""

__all__ = ["KINDS", "REVIEWS"]
