"""`printed.json`: objects, and the cells that kube-apiserver 1.36.3 made of them at the time `now`."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.apiserver.kinds import KINDS
from weft.apiserver.registry.kind import Column, Kind
from weft.apiserver.tables import table
from weft.apiserver.tables.ages import age, duration
from weft.apiserver.tables.cells import selector
from weft.cluster.objects.resource import Resource

PRINTED = json.loads(Path(__file__).with_name("printed.json").read_text())
BY_KIND = {(kind.resource.api_version, kind.resource.kind): kind for kind in KINDS}


@pytest.mark.parametrize("entry", PRINTED, ids=lambda entry: f"{entry['apiVersion']} {entry['kind']}")
def test_cells_are_upstreams(entry: dict[str, Any]) -> None:
    kind = BY_KIND[entry["apiVersion"], entry["kind"]]
    found = table(kind, entry["items"], "7", "None", entry["now"])
    columns = [[each["name"], each["type"], each["format"], each["priority"]] for each in found["columnDefinitions"]]
    assert columns == entry["columns"]
    assert [row["cells"] for row in found["rows"]] == entry["cells"]
    assert found["metadata"] == {"resourceVersion": "7"}


def test_every_kind_is_printed() -> None:
    assert {(entry["apiVersion"], entry["kind"]) for entry in PRINTED} == BY_KIND.keys()


def test_what_comes_with_a_row() -> None:
    obj = {"metadata": {"name": "a", "creationTimestamp": "2024-01-01T00:00:00Z"}, "spec": {}}
    kind = Kind(Resource("", "v1", "things", "Thing"), "thing")
    assert table(kind, [obj], "", "None", 0)["rows"] == [{"cells": ["a", "2024-01-01T00:00:00Z"]}]
    assert table(kind, [obj], "", "Object", 0)["rows"][0]["object"] == obj
    partial = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}
    assert table(kind, [obj], "", "", 0)["rows"][0]["object"] == partial
    assert table(kind, [obj], "", "Metadata", 0)["rows"][0]["object"] == partial


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"), (-1, "0s"), (0, "0s"), (119, "119s"), (120, "2m"), (185, "3m5s"), (599, "9m59s"),
        (600, "10m"), (10799, "179m"), (10800, "3h"), (11460, "3h11m"), (28800, "8h"), (172799, "47h"), (172800, "2d"),
        (180000, "2d2h"), (691200, "8d"), (63072000, "2y"), (63072000 + 86400, "2y1d"), (252288000, "8y"),
    ],
)  # fmt: skip
def test_durations(seconds: int, text: str) -> None:
    assert duration(seconds) == text


@given(st.floats(-(10**6), 10**10))
def test_any_duration_is_short(seconds: float) -> None:
    assert len(duration(seconds)) < 10


def test_no_time_is_unknown() -> None:
    assert age(None, 0) == age("", 0) == "<unknown>"


def test_selectors() -> None:
    assert selector(None) == ""
    assert selector({"matchLabels": {"b": "2", "a": "1"}}) == "a=1,b=2"


def test_columns_and_rows_come_together() -> None:
    for kind in KINDS:
        assert bool(kind.columns) == (kind.row is not None), kind.resource
        for column in kind.columns:
            assert isinstance(column, Column)


def statuses() -> st.SearchStrategy[dict[str, Any]]:
    state = st.one_of(
        st.just({"running": {}}),
        st.fixed_dictionaries({"waiting": st.fixed_dictionaries({}, optional={"reason": st.sampled_from(["A", ""])})}),
        st.fixed_dictionaries({"terminated": st.fixed_dictionaries({"exitCode": st.integers(0, 3)})}),
        st.just({}),
    )
    one = st.fixed_dictionaries(
        {"name": st.sampled_from("ab"), "state": state},
        optional={"ready": st.booleans(), "restartCount": st.integers(0, 9), "started": st.booleans()},
    )
    return st.fixed_dictionaries(
        {},
        optional={
            "phase": st.sampled_from(["Pending", "Running", "Succeeded", "Failed"]),
            "containerStatuses": st.lists(one, max_size=3),
            "initContainerStatuses": st.lists(one, max_size=3),
        },
    )


@given(statuses(), st.booleans())
def test_any_pod_has_a_row(status: dict[str, Any], sidecar: bool) -> None:
    init = [{"name": "a", **({"restartPolicy": "Always"} if sidecar else {})}]
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "b"}], "initContainers": init}, "status": status}
    kind = BY_KIND["v1", "Pod"]
    assert kind.row
    assert len(kind.row(pod, 0)) == len(kind.columns)
