from weft.apiserver.registry.kind import Kind
from weft.cluster.objects.resource import ENDPOINT_SLICES

KIND = Kind(
    ENDPOINT_SLICES,
    "endpointslice",
    generation=True,
)
