from weft.apiserver.kinds.namespaces.columns import COLUMNS, row
from weft.apiserver.kinds.namespaces.defaults import default_namespace, prepare_create
from weft.apiserver.kinds.namespaces.validation import validate_namespace, validate_status, validate_update
from weft.apiserver.kinds.rules.names import label
from weft.apiserver.kinds.verbs import VERBS
from weft.apiserver.registry.kind import Kind, Subresource
from weft.cluster.objects.resource import NAMESPACES

KIND = Kind(
    NAMESPACES,
    "namespace",
    short_names=("ns",),
    verbs=VERBS - {"deletecollection"},
    status=True,
    subresources=(Subresource("finalize", "Namespace", ("update",)),),
    default=default_namespace,
    prepare_create=prepare_create,
    selectable={"status.phase": lambda namespace: str((namespace.get("status") or {}).get("phase") or "")},
    columns=COLUMNS,
    row=row,
    validate_create=validate_namespace,
    validate_update=validate_update,
    validate_status=validate_status,
    validate_name=label,
)
