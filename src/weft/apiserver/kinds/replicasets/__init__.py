from weft.apiserver.kinds.replicasets.columns import COLUMNS, row
from weft.apiserver.kinds.replicasets.defaults import default_replica_set
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
)
