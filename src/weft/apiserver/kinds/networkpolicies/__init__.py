from weft.apiserver.kinds.networkpolicies.columns import COLUMNS, row
from weft.apiserver.kinds.networkpolicies.defaults import default_network_policy
from weft.apiserver.kinds.networkpolicies.validation import validate_network_policy, validate_update
from weft.apiserver.registry.kind import Kind
from weft.cluster.objects.resource import NETWORK_POLICIES

KIND = Kind(
    NETWORK_POLICIES,
    "networkpolicy",
    short_names=("netpol",),
    generation=True,
    default=default_network_policy,
    columns=COLUMNS,
    row=row,
    validate_create=validate_network_policy,
    validate_update=validate_update,
)
