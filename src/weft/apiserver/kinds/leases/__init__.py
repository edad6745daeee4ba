from weft.apiserver.kinds.leases.columns import COLUMNS, row
from weft.apiserver.registry.kind import Kind
from weft.cluster.objects.resource import LEASES

KIND = Kind(
    LEASES,
    "lease",
    columns=COLUMNS,
    row=row,
)
