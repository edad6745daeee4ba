"""Field labels by which events are selected (pkg/registry/core/event/strategy.go, ToSelectableFields)."""

from collections.abc import Callable, Mapping

from weft.apiserver.registry.kind import Object


def _involved(name: str) -> Callable[[Object], str]:
    return lambda event: str((event.get("involvedObject") or {}).get(name) or "")


def _source(event: Object) -> str:
    return str((event.get("source") or {}).get("component") or event.get("reportingComponent") or "")


SELECTABLE: Mapping[str, Callable[[Object], str]] = {
    **{
        f"involvedObject.{name}": _involved(name)
        for name in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
    },
    "reason": lambda event: str(event.get("reason") or ""),
    "reportingComponent": lambda event: str(event.get("reportingComponent") or ""),
    "source": _source,
    "type": lambda event: str(event.get("type") or ""),
}
