"""Roles and bindings, of a namespace and of the cluster."""

from weft.apiserver.kinds.rbac import validation
from weft.apiserver.kinds.rbac.columns import COLUMNS, row
from weft.apiserver.kinds.rbac.defaults import default_binding, default_role
from weft.apiserver.kinds.rules.names import path_segment
from weft.apiserver.registry.kind import Kind
from weft.cluster.objects.resource import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES

ROLE = Kind(
    ROLES,
    "role",
    default=default_role,
    validate_create=validation.validate_role,
    validate_update=validation.validate_role_update,
    validate_name=path_segment,
)
CLUSTER_ROLE = Kind(
    CLUSTER_ROLES,
    "clusterrole",
    default=default_role,
    validate_create=validation.validate_cluster_role,
    validate_update=validation.validate_cluster_role_update,
    validate_name=path_segment,
)
ROLE_BINDING = Kind(
    ROLE_BINDINGS,
    "rolebinding",
    default=default_binding,
    columns=COLUMNS,
    row=row,
    validate_create=validation.validate_role_binding,
    validate_update=validation.validate_role_binding_update,
    validate_name=path_segment,
)
CLUSTER_ROLE_BINDING = Kind(
    CLUSTER_ROLE_BINDINGS,
    "clusterrolebinding",
    default=default_binding,
    columns=COLUMNS,
    row=row,
    validate_create=validation.validate_cluster_role_binding,
    validate_update=validation.validate_cluster_role_binding_update,
    validate_name=path_segment,
)
