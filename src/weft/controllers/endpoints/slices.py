"""The least writes that turn a Service's EndpointSlices into what they should be. Pure.

Endpoints stay in the slice where they are; new ones fill slices that are written anyway, then one slice with room,
then new slices. So one changed endpoint costs one write of at most `limit` endpoints.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from weft.addresses import Family
from weft.cluster.port import Object
from weft.controllers.endpoints.model import EndpointKey, Group, PortKey, endpoint_key, port_key

SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
HEADLESS = "service.kubernetes.io/headless"


@dataclass(frozen=True)
class Parent:
    """What all slices of one Service have in common."""

    namespace: str
    service: str
    manager: str
    owner: Mapping[str, object]
    """Reference of the managing owner."""
    labels: Mapping[str, str]
    """Copied from the owner; the reserved ones are added here."""
    headless: bool = False
    annotations: Mapping[str, str] = field(default_factory=dict)
    placeholder: bool = True
    """Whether a Service without endpoints keeps an empty slice."""

    def all_labels(self) -> dict[str, str]:
        labels = {
            name: value for name, value in self.labels.items() if name not in (SERVICE_NAME, MANAGED_BY, HEADLESS)
        }
        if self.headless:
            labels[HEADLESS] = ""
        return {**labels, SERVICE_NAME: self.service, MANAGED_BY: self.manager}

    def slice(self, family: Family, ports: Sequence[Object], endpoints: Sequence[Object]) -> Object:
        meta: Object = {
            "generateName": f"{self.service}-",
            "namespace": self.namespace,
            "labels": self.all_labels(),
            "ownerReferences": [dict(self.owner)],
        }
        if self.annotations:
            meta["annotations"] = dict(self.annotations)
        return {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": meta,
            "addressType": family,
            "endpoints": list(endpoints),
            "ports": list(ports),
        }


@dataclass(slots=True)
class Changes:
    create: list[Object] = field(default_factory=list)
    update: list[Object] = field(default_factory=list)
    delete: list[Object] = field(default_factory=list)


def diff(
    parent: Parent, family: Family, wanted: Mapping[PortKey, Group], existing: Sequence[Object], limit: int = 100
) -> Changes:
    """`existing` are the parent's slices of this family. Neither argument is changed."""
    changes = Changes()
    by_ports: dict[PortKey, list[Object]] = {}
    for each in existing:
        if _is_owned(parent, each):
            by_ports.setdefault(port_key(each.get("ports")), []).append(each)
        else:
            changes.delete.append(each)
    for key, group in wanted.items():
        _diff_group(parent, family, group, by_ports.pop(key, []), limit, changes)
    changes.delete.extend(each for slices in by_ports.values() for each in slices)
    if parent.placeholder and len(changes.delete) == len(existing) and not changes.create:
        _keep_placeholder(parent, family, changes)
    _reuse_names(parent, changes)
    return changes


def _diff_group(
    parent: Parent, family: Family, group: Group, existing: Sequence[Object], limit: int, changes: Changes
) -> None:
    left: dict[EndpointKey, Object] = dict(group.endpoints)
    written: list[Object] = []
    unchanged: list[Object] = []
    for each in existing:
        old = each.get("endpoints") or []
        kept = [left.pop(key) for endpoint in old if (key := endpoint_key(endpoint)) in left]
        if old and not kept:
            changes.delete.append(each)
        elif kept != [_significant(endpoint) for endpoint in old] or not _is_labelled(parent, each):
            written.append(_rewritten(parent, each, kept))
        else:
            unchanged.append(each)
    for each in sorted(written, key=lambda s: len(s["endpoints"]), reverse=True):
        _fill(each, left, limit)
    if left and len(left) < limit:
        room = [each for each in unchanged if len(each.get("endpoints") or []) + len(left) <= limit]
        if room:
            chosen = max(room, key=lambda s: len(s.get("endpoints") or []))
            filled = _rewritten(parent, chosen, chosen.get("endpoints") or [])
            _fill(filled, left, limit)
            written.append(filled)
    while left:
        fresh = parent.slice(family, group.ports, [])
        _fill(fresh, left, limit)
        changes.create.append(fresh)
    changes.update.extend(written)


def _fill(slice_: Object, left: dict[EndpointKey, Object], limit: int) -> None:
    while left and len(slice_["endpoints"]) < limit:
        slice_["endpoints"].append(left.pop(next(iter(left))))


def _rewritten(parent: Parent, slice_: Object, endpoints: Sequence[Object]) -> Object:
    meta = {**slice_["metadata"], "labels": parent.all_labels()}
    if parent.annotations:
        meta["annotations"] = dict(parent.annotations)
    return {**slice_, "metadata": meta, "endpoints": list(endpoints)}


def _significant(endpoint: Object) -> Object:
    return {name: value for name, value in endpoint.items() if value is not None}


def _is_labelled(parent: Parent, slice_: Object) -> bool:
    meta = slice_["metadata"]
    annotated = meta.get("annotations") or {}
    return (meta.get("labels") or {}) == parent.all_labels() and all(
        annotated.get(name) == value for name, value in parent.annotations.items()
    )


def _is_owned(parent: Parent, slice_: Object) -> bool:
    return any(owner["uid"] == parent.owner["uid"] for owner in slice_["metadata"].get("ownerReferences") or ())


def _keep_placeholder(parent: Parent, family: Family, changes: Changes) -> None:
    empty = [each for each in changes.delete if not each.get("endpoints") and not each.get("ports")]
    kept = next((each for each in empty if _is_owned(parent, each) and _is_labelled(parent, each)), None)
    if kept is not None:
        changes.delete.remove(kept)
    else:
        changes.create.append(parent.slice(family, [], []))


def _reuse_names(parent: Parent, changes: Changes) -> None:
    """A slice to make and one to delete are one write: the old name with new contents."""
    for each in list(changes.delete):
        if not changes.create:
            return
        if _is_owned(parent, each) and not each["metadata"].get("deletionTimestamp"):
            fresh = changes.create.pop()
            changes.update.append({**_rewritten(parent, each, fresh["endpoints"]), "ports": fresh["ports"]})
            changes.delete.remove(each)
