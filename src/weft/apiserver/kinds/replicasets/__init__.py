from weft.apiserver.kinds.replicasets.columns import COLUMNS, row
from weft.apiserver.kinds.replicasets.defaults import default_replica_set
from weft.apiserver.kinds.replicasets.validation import validate_replica_set, validate_status, validate_update
from weft.apiserver.registry.kind import Kind
from weft.cluster.objects.resource import REPLICA_SETS

KIND = Kind(
    REPLICA_SETS,
    "replicaset",
    short_names=("rs",),
    categories=("all",),
    status=True,
    generation=True,
    scale=True,
    default=default_replica_set,
    columns=COLUMNS,
    row=row,
    validate_create=validate_replica_set,
    validate_update=validate_update,
    validate_status=validate_status,
)
