from weft.apiserver.kinds.rules.names import label
from weft.apiserver.kinds.services.balancers import validate_status
from weft.apiserver.kinds.services.columns import COLUMNS, row
from weft.apiserver.kinds.services.defaults import default_service
from weft.apiserver.kinds.services.updates import validate_update
from weft.apiserver.kinds.services.validation import validate_service
from weft.apiserver.kinds.verbs import PROXY_VERBS
from weft.apiserver.registry.kind import Kind, Subresource
from weft.cluster.objects.resource import SERVICES

KIND = Kind(
    SERVICES,
    "service",
    short_names=("svc",),
    categories=("all",),
    status=True,
    subresources=(Subresource("proxy", "ServiceProxyOptions", PROXY_VERBS),),
    default=default_service,
    validate_create=validate_service,
    validate_update=validate_update,
    validate_status=validate_status,
    validate_name=label,
    selectable={
        "spec.clusterIP": lambda service: str(service["spec"].get("clusterIP", "")),
        "spec.type": lambda service: str(service["spec"].get("type", "")),
    },
    columns=COLUMNS,
    row=row,
)
