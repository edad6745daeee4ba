from weft.apiserver.kinds.controllerrevisions.columns import COLUMNS, row
from weft.apiserver.registry.kind import Kind
from weft.cluster.objects.resource import CONTROLLER_REVISIONS

KIND = Kind(
    CONTROLLER_REVISIONS,
    "controllerrevision",
    columns=COLUMNS,
    row=row,
)
