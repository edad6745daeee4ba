from weft.apiserver.kinds.ingresses.columns import COLUMNS, row
from weft.apiserver.kinds.ingresses.defaults import default_ingress
from weft.apiserver.kinds.ingresses.validation import validate_ingress, validate_status, validate_update
from weft.apiserver.registry.kind import Kind
from weft.cluster.objects.resource import INGRESSES

KIND = Kind(
    INGRESSES,
    "ingress",
    short_names=("ing",),
    status=True,
    generation=True,
    default=default_ingress,
    columns=COLUMNS,
    row=row,
    validate_create=validate_ingress,
    validate_update=validate_update,
    validate_status=validate_status,
)
