"""What kube-apiserver 1.36.3 said: `accepted.json` objects as it stored them, `refused.json` objects and its messages.

Both were recorded from its own answers to these very objects (dry-run creates), with a dual-stack Service range. In
`accepted.json` chosen addresses read "auto", chosen ports 1, the generated volume name ends in xxxxx; server-side
metadata, nulls and empty lists are left out.
"""

import copy
import json
import random
import re
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from weft.apiserver.auth.access import User
from weft.apiserver.kinds import KINDS
from weft.apiserver.kinds.pods.admission import PodAdmission
from weft.apiserver.kinds.services.admission import ServiceAllocation
from weft.apiserver.registry import failures, metadata
from weft.apiserver.registry.admission import Context
from weft.apiserver.registry.kind import Kind, Object
from weft.apiserver.schema import check
from weft.cluster.errors import ApiError
from weft.cluster.objects.resource import Resource

HERE = Path(__file__).parent
ACCEPTED = json.loads((HERE / "accepted.json").read_text())
REFUSED = json.loads((HERE / "refused.json").read_text())
BY_KIND = {(kind.resource.api_version, kind.resource.kind): kind for kind in KINDS}
SERVER_SIDE = ("uid", "resourceVersion", "creationTimestamp", "managedFields", "generation")


class Accounts:
    """A reader that knows the ServiceAccount `default` and nothing else."""

    def get(self, resource: Resource, name: str, namespace: str = "") -> Object | None:
        return {"metadata": {"name": name}} if name == "default" else None

    def list(self, resource: Resource, namespace: str = "") -> Iterator[Object]:
        return iter(())


CONTEXT = Context(User("admin"), Accounts())


def kind_of(obj: Object) -> Kind:
    return BY_KIND[obj["apiVersion"], obj["kind"]]


def created(obj: Object) -> Object:
    """The way of a new object through the registry, without the store. Raises ApiError."""
    kind = kind_of(obj)
    resource = kind.resource
    report = check(resource.group, resource.version, resource.kind, copy.deepcopy(obj))
    if report.errors:
        raise failures.bad_request(report.errors[0])
    found = report.object
    if kind.status and not kind.status_on_create:
        found.pop("status", None)
    if resource.namespaced:
        found["metadata"].setdefault("namespace", "default")
    found = kind.to_stored(found)
    base = kind_of(found)
    base.prepare_create(found)
    base.default(found)
    services = ServiceAllocation([ip_network("10.96.0.0/12"), ip_network("fd00:10:96::/112")], rng=random.Random(1))
    for admission in (PodAdmission(random.Random(1)), services):
        admission.admit_create(base, found, CONTEXT)
    errors = [*metadata.validate(base, found), *base.validate_create(found)]
    if errors:
        raise failures.invalid(base.resource, found["metadata"].get("name", ""), errors)
    return kind.from_stored(found)


def comparable(obj: Object) -> Any:
    obj = bare(copy.deepcopy(obj))
    for name in SERVER_SIDE:
        obj["metadata"].pop(name, None)
    text = re.sub("kube-api-access-[a-z0-9]{5}", "kube-api-access-xxxxx", json.dumps(obj))
    obj = json.loads(text)
    spec = obj.get("spec", {})
    if obj["kind"] == "Service" and spec.get("clusterIP") not in (None, "None"):
        spec["clusterIP"] = "auto"
        spec["clusterIPs"] = ["auto"] * len(spec["clusterIPs"])
    if obj["kind"] == "Service":
        for holder in (spec, *spec.get("ports", ())):
            for name in ("nodePort", "healthCheckNodePort"):
                if holder.get(name):
                    holder[name] = 1
    return obj


def bare(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: bare(item) for key, item in value.items() if item is not None and item != []}
    return [bare(item) for item in value] if isinstance(value, list) else value


def label(entry: dict[str, Any]) -> str:
    return f"{entry['object']['kind']} {entry['object']['metadata'].get('name')}"


@pytest.mark.parametrize("entry", ACCEPTED, ids=label)
def test_stored_as_upstream_stores_it(entry: dict[str, Any]) -> None:
    assert comparable(created(entry["object"])) == comparable(entry["stored"])


@pytest.mark.parametrize("entry", ACCEPTED, ids=label)
def test_defaulting_twice_changes_nothing(entry: dict[str, Any]) -> None:
    once = created(entry["object"])
    kind = kind_of(once)
    twice = copy.deepcopy(once)
    kind.default(twice)
    assert twice == once


@pytest.mark.parametrize("entry", ACCEPTED, ids=label)
def test_what_is_stored_is_canonical_and_valid_again(entry: dict[str, Any]) -> None:
    once = created(entry["object"])
    resource = kind_of(once).resource
    report = check(resource.group, resource.version, resource.kind, once)
    assert not report.errors
    assert not report.unknown
    assert bare(report.object) == bare(once)


@pytest.mark.parametrize("entry", ACCEPTED, ids=label)
def test_an_update_that_changes_nothing_is_valid(entry: dict[str, Any]) -> None:
    old = created(entry["object"])
    new = copy.deepcopy(old)
    kind = kind_of(old)
    kind.prepare_update(new, old)
    kind.default(new)
    ServiceAllocation([ip_network("10.96.0.0/12"), ip_network("fd00:10:96::/112")]).admit_update(
        kind, new, old, CONTEXT
    )
    assert new == old
    assert kind.validate_update(new, old) == []


@pytest.mark.parametrize("entry", REFUSED, ids=label)
def test_refused_in_upstreams_words(entry: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as refusal:
        created(entry["object"])
    assert refusal.value.message == entry["message"]
