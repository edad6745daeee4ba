"""Objects made at random from the types themselves: whatever is in them, the answer is an object or a refusal."""

import copy
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.apiserver.kinds.test_upstream import created

from weft.apiserver.kinds import KINDS
from weft.apiserver.registry.kind import Kind
from weft.apiserver.schema import check, merge_info
from weft.apiserver.schema.table import Field, struct, struct_of
from weft.apiserver.tables import table
from weft.cluster.errors import ApiError

TEXTS = st.sampled_from(
    ["", "a", "web", "A b", "10.0.0.1", "fd00::1", "10.0.0.0/8", "None", "ClusterIP", "NodePort", "LoadBalancer",
     "ExternalName", "Always", "RollingUpdate", "TCP", "IPv4", "IPv6", "Exists", "In", "x" * 70, "a.b/c", "..", "/x"]
)  # fmt: skip
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "s": TEXTS,
    "b": st.booleans(),
    "i": st.sampled_from([-1, 0, 1, 80, 30080, 70000, 2**31 - 1]),
    "l": st.sampled_from([-1, 0, 1, 600, 2**40]),
    "d": st.floats(allow_nan=False, allow_infinity=False),
    "y": st.sampled_from(["", "aGk=", "e30="]),
    "q": st.sampled_from(["0", "1", "100m", "1Gi", "-1", "1.5"]),
    "x": st.sampled_from([0, 80, -1, "http", "25%", "A"]),
    "t": st.just("2024-01-01T00:00:00Z"),
    "u": st.just("2024-01-01T00:00:00.000000Z"),
    "D": st.just("1s"),
    "r": st.sampled_from([{}, {"a": 1}, [1], None]),
    "F": st.just({}),
    "w": st.lists(TEXTS, max_size=1),
}


@st.composite
def structs(draw: st.DrawFn, name: str, depth: int = 0) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for field in struct(name).fields:
        if field.inline:
            out |= draw(structs(field.code, depth))
        elif draw(st.integers(0, 3 + depth)) < (3 if depth < 2 else 2):
            out[field.name] = draw(values(field, depth))
    return out


def values(field: Field, depth: int) -> st.SearchStrategy[Any]:
    one: st.SearchStrategy[Any] = structs(field.code, depth + 1) if field.struct else SCALARS[field.code]
    if field.list:
        return st.lists(one, max_size=2)
    if field.map:
        return st.dictionaries(st.sampled_from(["a", "cpu", "A b", "tls.crt", "x/y"]), one, max_size=2)
    return one


@st.composite
def objects(draw: st.DrawFn) -> tuple[Kind, dict[str, Any]]:
    kind = draw(st.sampled_from(KINDS))
    resource = kind.resource
    type_ = struct_of(resource.group, resource.version, resource.kind)
    assert type_
    body = draw(structs(type_.name))
    body["metadata"] = {
        "name": draw(TEXTS),
        **{key: body.get("metadata", {})[key] for key in ("labels",) if key in body.get("metadata", {})},
    }
    return kind, {"apiVersion": resource.api_version, "kind": resource.kind, **body}


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(objects())
def test_an_object_or_a_refusal(made: tuple[Kind, dict[str, Any]]) -> None:
    kind, obj = made
    resource = kind.resource
    assert not check(resource.group, resource.version, resource.kind, copy.deepcopy(obj)).errors
    try:
        found = created(obj)
    except ApiError as error:
        assert error.code in (422, 403, 400), error.message
        return
    report = check(resource.group, resource.version, resource.kind, found)
    assert not report.errors
    assert not report.unknown
    table(kind, [found], "1", "", 0)
    if not kind.stored_as:
        kind.validate_status(copy.deepcopy(found), found)
        for select in kind.selectable.values():
            assert isinstance(select(found), str)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["spec", "metadata", "containers", "ports", "name", "status", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(["spec", "metadata", "status", "data", "x"]), ANY_JSON))
def test_any_json_is_judged(kind: Kind, obj: dict[str, Any]) -> None:
    resource = kind.resource
    report = check(resource.group, resource.version, resource.kind, obj)
    assert len(report.errors) <= 1
    if not report.errors:
        again = check(resource.group, resource.version, resource.kind, report.object)
        assert again.object == report.object
        assert not again.unknown


def test_every_place_of_every_type_merges_somehow() -> None:
    seen: set[str] = set()

    def walk(name: str) -> None:
        if name in seen:
            return
        seen.add(name)
        for field in struct(name).fields:
            if field.struct:
                walk(field.code)

    for kind in KINDS:
        info = merge_info(kind.resource.group, kind.resource.version, kind.resource.kind)
        assert info
        assert info.child("metadata")
        assert info.child("nothing") is None
        walk(info.struct_name)
    assert len(seen) > 150
