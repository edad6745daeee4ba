"""Field labels by which pods are selected (pkg/registry/core/pod/strategy.go, ToSelectableFields)."""

from collections.abc import Callable, Mapping

from weft.apiserver.registry.kind import Object


def _spec(name: str) -> Callable[[Object], str]:
    return lambda pod: str((pod.get("spec") or {}).get(name) or "")


def _status(name: str) -> Callable[[Object], str]:
    return lambda pod: str((pod.get("status") or {}).get(name) or "")


def _addresses(pod: Object) -> str:
    return ",".join(each.get("ip", "") for each in (pod.get("status") or {}).get("podIPs") or ())


def _host_network(pod: Object) -> str:
    return "true" if (pod.get("spec") or {}).get("hostNetwork") else "false"


SELECTABLE: Mapping[str, Callable[[Object], str]] = {
    "spec.nodeName": _spec("nodeName"),
    "spec.restartPolicy": _spec("restartPolicy"),
    "spec.schedulerName": _spec("schedulerName"),
    "spec.serviceAccountName": _spec("serviceAccountName"),
    "spec.hostNetwork": _host_network,
    "status.phase": _status("phase"),
    "status.podIP": _status("podIP"),
    "status.podIPs": _addresses,
    "status.nominatedNodeName": _status("nominatedNodeName"),
}
