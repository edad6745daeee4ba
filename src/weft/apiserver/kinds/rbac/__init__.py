"""Roles and bindings, of a namespace and of the cluster."""

from weft.apiserver.registry.kind import Kind
from weft.cluster.objects.resource import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES

ROLE = Kind(ROLES, "role")
ROLE_BINDING = Kind(ROLE_BINDINGS, "rolebinding")
CLUSTER_ROLE = Kind(CLUSTER_ROLES, "clusterrole")
CLUSTER_ROLE_BINDING = Kind(CLUSTER_ROLE_BINDINGS, "clusterrolebinding")
