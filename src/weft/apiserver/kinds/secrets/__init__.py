from weft.apiserver.registry.kind import Kind
from weft.cluster.objects.resource import SECRETS

KIND = Kind(
    SECRETS,
    "secret",
)
