from weft.apiserver.kinds.nodes.columns import COLUMNS, row
from weft.apiserver.kinds.nodes.defaults import default_node
from weft.apiserver.kinds.nodes.validation import match_ranges, validate_node, validate_update
from weft.apiserver.kinds.verbs import PROXY_VERBS
from weft.apiserver.registry.kind import Kind, Subresource
from weft.cluster.objects.resource import NODES

KIND = Kind(
    NODES,
    "node",
    short_names=("no",),
    status=True,
    status_on_create=True,
    subresources=(Subresource("proxy", "NodeProxyOptions", PROXY_VERBS),),
    default=default_node,
    selectable={"spec.unschedulable": lambda node: str(bool((node.get("spec") or {}).get("unschedulable"))).lower()},
    columns=COLUMNS,
    row=row,
    validate_create=validate_node,
    validate_update=validate_update,
    prepare_create=match_ranges,
    prepare_update=lambda new, _: match_ranges(new),
)
