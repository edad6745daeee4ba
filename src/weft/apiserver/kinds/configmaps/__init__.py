from weft.apiserver.kinds.configmaps.columns import COLUMNS, row
from weft.apiserver.registry.kind import Kind
from weft.cluster.objects.resource import CONFIGMAPS

KIND = Kind(
    CONFIGMAPS,
    "configmap",
    short_names=("cm",),
    columns=COLUMNS,
    row=row,
)
