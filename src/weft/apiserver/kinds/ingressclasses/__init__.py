from weft.apiserver.kinds.ingressclasses.columns import COLUMNS, row
from weft.apiserver.kinds.ingressclasses.defaults import default_ingress_class
from weft.apiserver.kinds.ingressclasses.validation import validate_ingress_class, validate_update
from weft.apiserver.registry.kind import Kind
from weft.cluster.objects.resource import INGRESS_CLASSES

KIND = Kind(
    INGRESS_CLASSES,
    "ingressclass",
    generation=True,
    default=default_ingress_class,
    columns=COLUMNS,
    row=row,
    validate_create=validate_ingress_class,
    validate_update=validate_update,
)
