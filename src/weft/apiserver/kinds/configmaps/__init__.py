from weft.apiserver.kinds.configmaps.columns import COLUMNS, row
from weft.apiserver.kinds.configmaps.validation import validate_config_map, validate_update
from weft.apiserver.registry.kind import Kind
from weft.cluster.objects.resource import CONFIGMAPS

KIND = Kind(
    CONFIGMAPS,
    "configmap",
    short_names=("cm",),
    columns=COLUMNS,
    row=row,
    validate_create=validate_config_map,
    validate_update=validate_update,
)
