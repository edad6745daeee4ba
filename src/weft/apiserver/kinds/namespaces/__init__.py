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
)
