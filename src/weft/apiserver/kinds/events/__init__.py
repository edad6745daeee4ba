"""One storage, two forms: `core/v1` Event, which is stored, and `events.k8s.io/v1` Event (KEP-383)."""

from weft.apiserver.kinds.events.columns import COLUMNS, row
from weft.apiserver.kinds.events.forms import to_core, to_events
from weft.apiserver.kinds.events.selectable import SELECTABLE
from weft.apiserver.kinds.events.validation import validate_event, validate_update
from weft.apiserver.registry.kind import Kind
from weft.cluster.objects.resource import CORE_EVENTS, EVENTS

KIND = Kind(
    CORE_EVENTS,
    "event",
    short_names=("ev",),
    columns=COLUMNS,
    row=row,
    validate_create=validate_event,
    validate_update=validate_update,
    selectable=SELECTABLE,
)
GROUP_KIND = Kind(
    EVENTS,
    "event",
    short_names=("ev",),
    columns=COLUMNS,
    row=row,
    stored_as=CORE_EVENTS,
    to_stored=to_core,
    from_stored=to_events,
)
