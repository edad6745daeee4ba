"""Roles and bindings, of a namespace and of the cluster."""

from weft.apiserver.kinds.rbac.columns import COLUMNS, row
from weft.apiserver.kinds.rbac.defaults import default_binding, default_role
from weft.apiserver.registry.kind import Kind
from weft.cluster.objects.resource import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES

ROLE = Kind(ROLES, "role", default=default_role)
ROLE_BINDING = Kind(ROLE_BINDINGS, "rolebinding", default=default_binding, columns=COLUMNS, row=row)
CLUSTER_ROLE = Kind(CLUSTER_ROLES, "clusterrole", default=default_role)
CLUSTER_ROLE_BINDING = Kind(
    CLUSTER_ROLE_BINDINGS, "clusterrolebinding", default=default_binding, columns=COLUMNS, row=row
)
