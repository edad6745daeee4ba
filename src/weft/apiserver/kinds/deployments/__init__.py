from weft.apiserver.kinds.deployments.columns import COLUMNS, row
from weft.apiserver.kinds.deployments.defaults import default_deployment
from weft.apiserver.kinds.deployments.validation import validate_deployment, validate_status, validate_update
from weft.apiserver.registry.kind import Kind
from weft.cluster.objects.resource import DEPLOYMENTS

KIND = Kind(
    DEPLOYMENTS,
    "deployment",
    short_names=("deploy",),
    categories=("all",),
    status=True,
    generation=True,
    scale=True,
    default=default_deployment,
    columns=COLUMNS,
    row=row,
    validate_create=validate_deployment,
    validate_update=validate_update,
    validate_status=validate_status,
)
