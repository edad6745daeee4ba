from weft.apiserver.registry.kind import Kind
from weft.cluster.objects.resource import INGRESS_CLASSES

KIND = Kind(
    INGRESS_CLASSES,
    "ingressclass",
    generation=True,
)
