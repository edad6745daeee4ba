"""The three patch types: the documents' own examples, and properties that must hold for any value."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.apiserver.patch import JsonPatchError, StrategicError, apply_json, apply_merge, apply_strategic
from weft.apiserver.schema import merge_info

scalars = st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab/~", max_size=2), inner, max_size=3)
)
objects = st.dictionaries(st.text("ab", max_size=2), values, max_size=3)


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_rfc_7386_appendix_a(target: Any, patch: Any, result: Any) -> None:
    assert apply_merge(target, patch) == result


@given(values, values)
def test_a_merge_patch_is_idempotent_and_changes_no_input(target: Any, patch: Any) -> None:
    before = deepcopy((target, patch))
    once = apply_merge(target, patch)
    assert apply_merge(once, patch) == once
    assert (target, patch) == before


@pytest.mark.parametrize(
    ("document", "patch", "result"),
    [
        ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"baz": "qux", "foo": "bar"}),
        ({"foo": [1, 3]}, [{"op": "add", "path": "/foo/1", "value": 2}], {"foo": [1, 2, 3]}),
        ({"foo": [1]}, [{"op": "add", "path": "/foo/-", "value": [2]}], {"foo": [1, [2]]}),
        ({"foo": [1, 2]}, [{"op": "remove", "path": "/foo/1"}], {"foo": [1]}),
        ({"foo": 1}, [{"op": "replace", "path": "/foo", "value": None}], {"foo": None}),
        ({"a": {"x": 1}, "b": {}}, [{"op": "move", "from": "/a/x", "path": "/b/y"}], {"a": {}, "b": {"y": 1}}),
        ({"a": [1, 2]}, [{"op": "copy", "from": "/a/0", "path": "/a/-"}], {"a": [1, 2, 1]}),
        ({"~/": 1}, [{"op": "test", "path": "/~0~1", "value": 1}], {"~/": 1}),
        ({"a": 1}, [{"op": "add", "path": "", "value": {"b": 2}}], {"b": 2}),
    ],
)
def test_rfc_6902_operations(document: Any, patch: Any, result: Any) -> None:
    before = deepcopy(document)
    assert apply_json(document, patch) == result
    assert document == before


@pytest.mark.parametrize(
    "patch",
    [
        {},
        [1],
        [{"op": "jump", "path": "/a"}],
        [{"op": "add", "path": "/x/y", "value": 1}],
        [{"op": "add", "path": "a", "value": 1}],
        [{"op": "add", "path": "/l/01", "value": 1}],
        [{"op": "add", "path": "/l/9", "value": 1}],
        [{"op": "add", "path": "/a"}],
        [{"op": "remove", "path": "/x"}],
        [{"op": "remove", "path": ""}],
        [{"op": "replace", "path": "/x", "value": 1}],
        [{"op": "test", "path": "/a", "value": True}],
        [{"op": "move", "from": "/l", "path": "/l/0"}],
        [{"op": "copy", "path": "/l/0"}],
    ],
)
def test_operations_that_cannot_be_done(patch: Any) -> None:
    with pytest.raises(JsonPatchError):
        apply_json({"a": 1, "l": [1]}, patch)


operations = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"])},
    optional={
        "path": st.text("ab/01-~", max_size=4),
        "from": st.text("ab/01-~", max_size=4),
        "value": values,
    },
)


@given(values, st.lists(operations, max_size=4))
def test_any_json_patch_applies_or_is_refused(document: Any, patch: Any) -> None:
    before = deepcopy((document, patch))
    try:
        apply_json(document, patch)
    except JsonPatchError:
        pass
    assert (document, patch) == before


POD = merge_info("", "v1", "Pod")
DEPLOYMENT = merge_info("apps", "v1", "Deployment")


def strategic(target: Any, patch: Any) -> Any:
    before = deepcopy((target, patch))
    result = apply_strategic(target, patch, POD)
    assert (target, patch) == before
    return result


def containers(*items: Any, **spec: Any) -> dict[str, Any]:
    return {"spec": {"containers": list(items), **spec}}


A, B, C = ({"name": name, "image": "1"} for name in "abc")


def test_lists_merge_by_their_key() -> None:
    assert strategic(containers(A, B), containers({"name": "b", "image": "2"})) == containers(
        A, {"name": "b", "image": "2"}
    )
    assert strategic(containers(A), containers(C)) == containers(C, A)
    assert strategic(containers(A), containers({"name": "a", "image": None})) == containers({"name": "a"})


def test_directives_delete_and_replace() -> None:
    assert strategic(containers(A, B), containers({"name": "a", "$patch": "delete"})) == containers(B)
    assert strategic(containers(A, B), containers({"$patch": "replace"}, C)) == containers(C)
    assert strategic(
        {"metadata": {"labels": {"a": "1"}}}, {"metadata": {"labels": {"$patch": "replace", "b": "2"}}}
    ) == {"metadata": {"labels": {"b": "2"}}}
    assert strategic({"metadata": {"labels": {"a": "1"}}}, {"metadata": {"labels": {"$patch": "delete"}}}) == {
        "metadata": {"labels": {}}
    }


def test_the_order_of_elements_is_set() -> None:
    patch = {
        "spec": {
            "$setElementOrder/containers": [{"name": "b"}, {"name": "a"}],
            "containers": [{"name": "b", "image": "2"}],
        }
    }
    assert strategic(containers(A, B), patch) == containers({"name": "b", "image": "2"}, A)
    only_order = {"spec": {"$setElementOrder/containers": [{"name": "c"}, {"name": "a"}]}}
    assert strategic(containers(A, B, C), only_order) == containers(B, C, A)
    wrong = {"spec": {"$setElementOrder/containers": [{"name": "a"}], "containers": [B]}}
    with pytest.raises(StrategicError, match="doesn't match"):
        strategic(containers(A), wrong)


def test_lists_of_scalars_merge_as_sets() -> None:
    target = {"metadata": {"finalizers": ["a/1", "a/2", "a/3"]}}
    patch = {
        "metadata": {
            "$deleteFromPrimitiveList/finalizers": ["a/1"],
            "$setElementOrder/finalizers": ["a/2", "a/4", "a/3"],
            "finalizers": ["a/4"],
        }
    }
    assert strategic(target, patch) == {"metadata": {"finalizers": ["a/2", "a/4", "a/3"]}}


def test_keys_are_retained() -> None:
    target = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert apply_strategic(target, patch, DEPLOYMENT) == {"spec": {"strategy": {"type": "Recreate"}}}
    with pytest.raises(StrategicError, match="retainKeys"):
        bad = {"spec": {"strategy": {"$retainKeys": ["type"], "rollingUpdate": {}}}}
        apply_strategic(target, bad, DEPLOYMENT)


def test_lists_without_a_key_are_replaced() -> None:
    assert strategic(
        {"spec": {"containers": [{"name": "a", "args": ["1", "2"]}]}}, containers({"name": "a", "args": ["3"]})
    ) == {"spec": {"containers": [{"name": "a", "args": ["3"]}]}}
    assert strategic({"spec": {"tolerations": [{"key": "a"}]}}, {"spec": {"tolerations": [{"key": "b"}]}}) == {
        "spec": {"tolerations": [{"key": "b"}]}
    }


def test_ports_of_a_service_merge_by_number() -> None:
    service = merge_info("", "v1", "Service")
    target = {"spec": {"ports": [{"port": 80, "name": "http"}]}}
    assert apply_strategic(target, {"spec": {"ports": [{"port": 80, "nodePort": 30080}]}}, service) == {
        "spec": {"ports": [{"port": 80, "name": "http", "nodePort": 30080}]}
    }


@pytest.mark.parametrize(
    "patch",
    [
        [],
        {"$patch": "jump"},
        containers({"image": "x"}),
        containers("x"),
        containers({"name": "a", "$patch": "merge"}),
        containers({"name": "a", "$patch": "jump"}),
        {"spec": {"$setElementOrder/containers": 1}},
        {"metadata": {"$deleteFromPrimitiveList/finalizers": 1}},
    ],
)
def test_patches_that_do_not_fit(patch: Any) -> None:
    with pytest.raises(StrategicError):
        strategic({**containers(A), "metadata": {"finalizers": ["a/1"]}}, patch)


names = st.lists(st.sampled_from("abcdef"), unique=True, max_size=5)


@given(names, names, names)
def test_what_kubectl_computes_leads_from_old_to_new(old: list[str], new: list[str], server: list[str]) -> None:
    """As kubectl's three-way patch does it; containers that only the server knows stay."""
    extra = [name for name in server if name not in old and name not in new]
    live = containers(*({"name": name, "image": "1"} for name in old + extra))
    deleted = [{"name": name, "$patch": "delete"} for name in old if name not in new]
    added = [{"name": name, "image": "2"} for name in new]
    patch = {"spec": {"$setElementOrder/containers": [{"name": name} for name in new], "containers": added + deleted}}
    result = strategic(live, patch)["spec"]["containers"]
    assert [each["name"] for each in result if each["name"] in new] == new
    assert {each["name"] for each in result} == {*new, *extra}
    assert all(each["image"] == ("2" if each["name"] in new else "1") for each in result)


@given(objects, objects)
def test_without_types_it_is_a_merge_patch(target: Any, patch: Any) -> None:
    try:
        result = apply_strategic(target, patch, None)
    except StrategicError:
        return
    for name, value in patch.items():
        assert (name in result) is (value is not None)


@given(values, values)
def test_any_strategic_patch_applies_or_is_refused(target: Any, patch: Any) -> None:
    try:
        apply_strategic({"spec": {"containers": target}}, {"spec": {"containers": patch}}, POD)
    except StrategicError:
        pass
