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
)
