from weft.apiserver.registry.kind import Kind
from weft.cluster.objects.resource import CONFIGMAPS

KIND = Kind(
    CONFIGMAPS,
    "configmap",
    short_names=("cm",),
)
