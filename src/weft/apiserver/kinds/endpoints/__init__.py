from weft.apiserver.kinds.endpoints.columns import COLUMNS, row
from weft.apiserver.kinds.endpoints.defaults import default_endpoints
from weft.apiserver.kinds.endpoints.validation import validate_endpoints, validate_update
from weft.apiserver.registry.kind import Kind
from weft.cluster.objects.resource import ENDPOINTS

KIND = Kind(
    ENDPOINTS,
    "endpoints",
    short_names=("ep",),
    default=default_endpoints,
    columns=COLUMNS,
    row=row,
    validate_create=validate_endpoints,
    validate_update=validate_update,
)
