from weft.apiserver.kinds.controllerrevisions.columns import COLUMNS, row
from weft.apiserver.kinds.controllerrevisions.validation import validate_controller_revision, validate_update
from weft.apiserver.registry.kind import Kind
from weft.cluster.objects.resource import CONTROLLER_REVISIONS

KIND = Kind(
    CONTROLLER_REVISIONS,
    "controllerrevision",
    columns=COLUMNS,
    row=row,
    validate_create=validate_controller_revision,
    validate_update=validate_update,
)
