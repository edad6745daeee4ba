from weft.apiserver.kinds.services.defaults import default_service
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
)
