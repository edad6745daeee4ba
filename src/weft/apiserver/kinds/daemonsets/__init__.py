from weft.apiserver.kinds.daemonsets.columns import COLUMNS, row
from weft.apiserver.kinds.daemonsets.defaults import default_daemon_set
from weft.apiserver.kinds.daemonsets.validation import validate_daemon_set, validate_status, validate_update
from weft.apiserver.registry.kind import Kind
from weft.cluster.objects.resource import DAEMON_SETS

KIND = Kind(
    DAEMON_SETS,
    "daemonset",
    short_names=("ds",),
    categories=("all",),
    status=True,
    generation=True,
    default=default_daemon_set,
    columns=COLUMNS,
    row=row,
    validate_create=validate_daemon_set,
    validate_update=validate_update,
    validate_status=validate_status,
)
