from weft.apiserver.kinds.nodes.columns import COLUMNS, row
from weft.apiserver.kinds.nodes.defaults import default_node
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
)
