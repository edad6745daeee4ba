from weft.apiserver.kinds.pods.columns import COLUMNS, row
from weft.apiserver.kinds.pods.defaults import default_pod
from weft.apiserver.kinds.pods.selectable import SELECTABLE
from weft.apiserver.kinds.pods.validation import validate_pod, validate_status, validate_update
from weft.apiserver.kinds.verbs import PROXY_VERBS
from weft.apiserver.registry.kind import Kind, Subresource
from weft.cluster.objects.resource import PODS

KIND = Kind(
    PODS,
    "pod",
    short_names=("po",),
    categories=("all",),
    status=True,
    generation=True,
    graceful=True,
    subresources=(
        Subresource("attach", "PodAttachOptions", ("create", "get")),
        Subresource("binding", "Binding", ("create",)),
        Subresource("ephemeralcontainers", "Pod", ("get", "patch", "update")),
        Subresource("eviction", "Eviction", ("create",), "policy", "v1"),
        Subresource("exec", "PodExecOptions", ("create", "get")),
        Subresource("log", "Pod", ("get",)),
        Subresource("portforward", "PodPortForwardOptions", ("create", "get")),
        Subresource("proxy", "PodProxyOptions", PROXY_VERBS),
        Subresource("resize", "Pod", ("get", "patch", "update")),
    ),
    default=default_pod,
    selectable=SELECTABLE,
    columns=COLUMNS,
    row=row,
    validate_create=validate_pod,
    validate_update=validate_update,
    validate_status=validate_status,
)
