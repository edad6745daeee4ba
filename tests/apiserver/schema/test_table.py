"""The table against the OpenAPI definitions of the same release, an independent source of the same facts."""

import json
from importlib.resources import files
from typing import Any

import pytest

from weft.apiserver.kinds import KINDS, REVIEWS
from weft.apiserver.schema.merge import merge_info
from weft.apiserver.schema.table import Field, is_atomic, kinds, struct, struct_of

PREFIXES = {"meta/v1": "io.k8s.apimachinery.pkg.apis.meta.v1"}


@pytest.fixture(scope="module")
def definitions() -> dict[str, Any]:
    folder = files("kubernetes_validate").joinpath("kubernetes-json-schema/v1.36.0-local")
    found: dict[str, Any] = json.loads(folder.joinpath("_definitions.json").read_text())["$defs"]
    return found


def flat(name: str) -> dict[str, Field]:
    found: dict[str, Field] = {}
    for field in struct(name).fields:
        found.update(flat(field.code) if field.inline else {field.name: field})
    return found


def reachable() -> set[str]:
    seen: set[str] = set()
    todo = [s.name for kind in kinds() if (s := struct_of(*split(kind)))]
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += [field.code for field in struct(name).fields if field.struct]
    return seen


def split(kind: str) -> tuple[str, str, str]:
    *group, version, name = kind.split("/")
    return "/".join(group), version, name


def test_every_struct_is_as_openapi_has_it(definitions: dict[str, Any]) -> None:
    compared = 0
    for name in reachable():
        package, _, short = name.rpartition(".")
        prefix = PREFIXES.get(package, f"io.k8s.api.{package.replace('/', '.')}")
        definition = definitions.get(f"{prefix}.{short}")
        if definition is None:  # inline structs have none
            continue
        compared += 1
        assert (definition.get("x-kubernetes-map-type") == "atomic") == is_atomic(name), name
        fields = flat(name)
        properties = definition.get("properties", {})
        assert fields.keys() == properties.keys() - {"apiVersion", "kind"} | (fields.keys() & {"apiVersion", "kind"}), (
            name
        )
        for key, field in fields.items():
            compare(f"{name}.{key}", field, properties[key])
    assert compared > 250


def compare(where: str, field: Field, found: dict[str, Any]) -> None:
    assert found.get("x-kubernetes-patch-strategy", "") == field.patch_strategy, where
    assert found.get("x-kubernetes-patch-merge-key", "") == field.merge_key, where
    listed = found.get("x-kubernetes-list-type") or found.get("x-kubernetes-map-type") or ""
    assert listed == field.list_type, where
    assert tuple(found.get("x-kubernetes-list-map-keys", ())) == field.list_keys, where
    kinds_of = found.get("type", [])
    assert ("array" in kinds_of) == field.list, where


def test_every_served_kind_has_a_struct() -> None:
    for kind in (*KINDS, *REVIEWS):
        resource = kind.resource
        assert struct_of(resource.group, resource.version, resource.kind), resource


def test_merge_info() -> None:
    spec = merge_info("", "v1", "Service").child("spec")  # type: ignore[union-attr]
    ports = spec.child("ports")  # type: ignore[union-attr]
    assert ports is not None
    assert (ports.merges, ports.merge_key, ports.list_type) == (True, "port", "map")
    assert ports.list_keys == ("port", "protocol")
    strategy = merge_info("apps", "v1", "Deployment").child("spec").child("strategy")  # type: ignore[union-attr]
    assert strategy is not None
    assert strategy.patch_strategies == ("retainKeys",)
    probe = ports.element.child("targetPort")  # type: ignore[union-attr]
    assert probe is not None
    assert probe.form == "scalar"
