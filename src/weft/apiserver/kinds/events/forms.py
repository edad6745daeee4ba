"""The same event as `core/v1` and as `events.k8s.io/v1` say it (pkg/apis/core/types.go, conversion by names)."""

from weft.apiserver.registry.kind import Object

_NAMES = {
    "reportingController": "reportingComponent",
    "reportingInstance": "reportingInstance",
    "regarding": "involvedObject",
    "note": "message",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
}
_GROUP_NAMES = {core: name for name, core in _NAMES.items()}


def to_core(event: Object) -> Object:
    """`events.k8s.io/v1` → `core/v1`. Fields that both have keep their names."""
    core = {_NAMES.get(name, name): value for name, value in event.items()}
    core["apiVersion"] = "v1"
    for name, empty in (("involvedObject", {}), ("source", {}), ("reportingComponent", ""), ("reportingInstance", "")):
        core.setdefault(name, empty)
    return core


def to_events(core: Object) -> Object:
    """`core/v1` → `events.k8s.io/v1`."""
    event = {_GROUP_NAMES.get(name, name): value for name, value in core.items()}
    event["apiVersion"] = "events.k8s.io/v1"
    return event
