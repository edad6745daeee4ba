"""The whole status of a pod, and the patch from one to the next. Pure."""

from collections.abc import Sequence
from typing import Any

import msgspec

from weft.cluster.objects.pod import Pod, PodIP, PodStatus
from weft.kubelet.pods.resources import qos_class
from weft.kubelet.status.conditions import OWNED, pod_conditions
from weft.kubelet.status.containers import View, container_statuses
from weft.kubelet.status.phase import pod_phase


def compose(view: View, host_addresses: Sequence[str], now: str, *, over: bool = False) -> PodStatus:
    """The status that follows `view.pod.status`. `now`: RFC 3339. `over`: nothing will be started any more."""
    pod, old, spec = view.pod, view.pod.status, view.pod.spec
    mains = container_statuses(view, spec.containers, old.container_statuses or ())
    inits = container_statuses(view, spec.init_containers or (), old.init_container_statuses or (), init=True)
    others = container_statuses(view, spec.ephemeral_containers or (), old.ephemeral_container_statuses or ())
    # A terminal phase is final, whatever happens to the containers afterwards.
    phase = old.phase if pod.is_terminal else pod_phase(pod, (*inits, *mains), over=over)
    sandbox = view.record.sandbox
    addresses = (sandbox.addresses if sandbox and sandbox.ready else ()) or pod.addresses()
    if spec.host_network:
        addresses = tuple(host_addresses)
    kept = phase == old.phase
    return PodStatus(
        phase=phase,
        conditions=pod_conditions(pod, (*inits, *mains), phase, sandbox_ready=_sandbox_serves(view), now=now),
        reason=old.reason if kept else "",
        message=old.message if kept else "",
        host_ip=host_addresses[0] if host_addresses else "",
        host_ips=tuple(PodIP(address) for address in host_addresses),
        pod_ip=addresses[0] if addresses else "",
        pod_ips=tuple(PodIP(address) for address in addresses) or None,
        start_time=old.start_time or now,
        qos_class=qos_class(pod),
        observed_generation=pod.metadata.generation,
        container_statuses=mains,
        init_container_statuses=inits or None,
        ephemeral_container_statuses=others or None,
    )


def _sandbox_serves(view: View) -> bool:
    sandbox = view.record.sandbox
    return sandbox is not None and sandbox.ready and bool(sandbox.addresses or view.pod.spec.host_network)


def rejected(pod: Pod, reason: str, message: str, host_addresses: Sequence[str], now: str) -> PodStatus:
    """Of a pod that this node will not run at all."""
    return PodStatus(
        phase="Failed",
        reason=reason,
        message=message,
        host_ip=host_addresses[0] if host_addresses else "",
        start_time=now,
        qos_class=qos_class(pod),
        observed_generation=pod.metadata.generation,
    )


def status_patch(old: PodStatus, new: PodStatus) -> dict[str, Any]:
    """The strategic merge patch of `status`; {} where nothing changed.

    Lists of containers are replaced; conditions merge by type, addresses by `ip`, so what is gone must be said.
    """
    before, after = render(old), render(new)
    patch = {name: value for name, value in after.items() if before.get(name) != value}
    patch |= {name: None for name in before if name not in after and name != "conditions"}
    if "conditions" in patch:
        patch["conditions"] = _conditions(before.get("conditions", []), after["conditions"])
        if not patch["conditions"]:
            del patch["conditions"]
    for name in ("podIPs", "hostIPs"):
        kept = {entry["ip"] for entry in after.get(name, ())}
        gone = [entry["ip"] for entry in before.get(name, ()) if entry["ip"] not in kept]
        if gone and patch.get(name):
            patch[name] = [*patch[name], *({"$patch": "delete", "ip": address} for address in gone)]
    return patch


def _conditions(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[dict[str, Any]]:
    old = {condition["type"]: condition for condition in before}
    changed = []
    for condition in after:
        was = old.get(condition["type"])
        if condition["type"] in OWNED and condition != was:
            changed.append(condition | {name: None for name in was or () if name not in condition})
    return changed


def render(status: PodStatus) -> dict[str, Any]:
    """As JSON, with the fields that the API requires even where they are zero."""
    made: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(status))
    for name in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"):
        for container in made.get(name, ()):
            for key, value in (("ready", False), ("restartCount", 0), ("image", ""), ("imageID", "")):
                container.setdefault(key, value)
            for key in ("state", "lastState"):
                state = container.setdefault(key, {})
                if "terminated" in state:
                    state["terminated"].setdefault("exitCode", 0)
    return made
