from weft.apiserver.kinds.secrets.columns import COLUMNS, row
from weft.apiserver.kinds.secrets.defaults import default_secret
from weft.apiserver.kinds.secrets.validation import validate_secret, validate_update
from weft.apiserver.registry.kind import Kind
from weft.cluster.objects.resource import SECRETS

KIND = Kind(
    SECRETS,
    "secret",
    default=default_secret,
    selectable={"type": lambda secret: str(secret.get("type") or "")},
    columns=COLUMNS,
    row=row,
    validate_create=validate_secret,
    validate_update=validate_update,
)
