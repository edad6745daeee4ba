"""`kubectl get events`, for both forms."""

from typing import Any

from weft.apiserver.kinds.events.forms import to_core
from weft.apiserver.registry.kind import Column, Object
from weft.apiserver.tables.ages import age

COLUMNS = (
    Column("Last Seen"),
    Column("Type"),
    Column("Reason"),
    Column("Object"),
    Column("Subobject", priority=1),
    Column("Source", priority=1),
    Column("Message"),
    Column("First Seen", priority=1),
    Column("Count", priority=1),
    Column("Name", format="name", priority=1),
)


def row(event: Object, now: float) -> list[Any]:
    if event.get("apiVersion") == "events.k8s.io/v1":
        event = to_core(event)
    series = event.get("series") or {}
    first = age(event.get("firstTimestamp") or event.get("eventTime"), now)
    last = age(event["lastTimestamp"], now) if event.get("lastTimestamp") else first
    about, source = event.get("involvedObject") or {}, event.get("source") or {}
    kind, name = about.get("kind", "").lower(), about.get("name", "")
    component = source.get("component") or event.get("reportingComponent", "")
    host = source.get("host") or event.get("reportingInstance", "")
    return [
        age(series.get("lastObservedTime"), now) if series else last,
        event.get("type", ""),
        event.get("reason", ""),
        f"{kind}/{name}" if name else kind,
        about.get("fieldPath", ""),
        f"{component}, {host}" if host else component,
        event.get("message", "").strip(),
        first,
        series.get("count", 0) if series else event.get("count") or 1,
        event["metadata"].get("name", ""),
    ]
