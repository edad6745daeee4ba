from weft.apiserver.kinds.endpointslices.columns import COLUMNS, row
from weft.apiserver.kinds.endpointslices.defaults import default_endpoint_slice
from weft.apiserver.kinds.endpointslices.validation import validate_endpoint_slice, validate_update
from weft.apiserver.registry.kind import Kind
from weft.cluster.objects.resource import ENDPOINT_SLICES

KIND = Kind(
    ENDPOINT_SLICES,
    "endpointslice",
    generation=True,
    default=default_endpoint_slice,
    columns=COLUMNS,
    row=row,
    validate_create=validate_endpoint_slice,
    validate_update=validate_update,
)
