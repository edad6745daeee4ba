from weft.apiserver.kinds.leases.columns import COLUMNS, row
from weft.apiserver.kinds.leases.validation import drop_disabled, validate_lease, validate_update
from weft.apiserver.registry.kind import Kind
from weft.cluster.objects.resource import LEASES

KIND = Kind(
    LEASES,
    "lease",
    columns=COLUMNS,
    row=row,
    validate_create=validate_lease,
    validate_update=validate_update,
    default=drop_disabled,
)
