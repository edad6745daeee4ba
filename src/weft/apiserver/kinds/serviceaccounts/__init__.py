from weft.apiserver.kinds.serviceaccounts.columns import COLUMNS, row
from weft.apiserver.registry.kind import Kind, Subresource
from weft.cluster.objects.resource import SERVICE_ACCOUNTS

KIND = Kind(
    SERVICE_ACCOUNTS,
    "serviceaccount",
    short_names=("sa",),
    subresources=(Subresource("token", "TokenRequest", ("create",), "authentication.k8s.io", "v1"),),
    columns=COLUMNS,
    row=row,
)
