"""Whatever the slices were, the diff leads to a fresh build's endpoints, and to nothing more to do."""

from itertools import count
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from weft.controllers.endpoints.model import Group, endpoint_key, port_key
from weft.controllers.endpoints.slices import Changes, Parent, diff

LIMIT = 4
PARENT = Parent("shop", "web", "test", {"uid": "owner"}, {"app": "web"})
PORTS = {number: [{"name": "http", "protocol": "TCP", "port": number}] for number in (80, 8080)}


def endpoint(number: int, ready: bool = True) -> dict[str, Any]:
    return {
        "addresses": [f"10.0.0.{number}"],
        "conditions": {"ready": ready, "serving": ready, "terminating": False},
        "targetRef": {"kind": "Pod", "namespace": "shop", "name": f"web-{number}", "uid": f"u{number}"},
    }


def wanted(state: dict[int, tuple[int, bool]]) -> dict[Any, Group]:
    """`state`: pod number → (port, ready)."""
    made: dict[Any, Group] = {}
    for number, (port, ready) in state.items():
        group = made.setdefault(port_key(PORTS[port]), Group(PORTS[port]))
        made_endpoint = endpoint(number, ready)
        group.endpoints[endpoint_key(made_endpoint)] = made_endpoint
    return made


def apply(slices: list[dict[str, Any]], changes: Changes, names: Any) -> list[dict[str, Any]]:
    gone = {each["metadata"]["name"] for each in [*changes.delete, *changes.update]}
    kept = [each for each in slices if each["metadata"]["name"] not in gone]
    made = [{**each, "metadata": {**each["metadata"], "name": f"web-{next(names)}"}} for each in changes.create]
    return [*kept, *changes.update, *made]


states = st.dictionaries(st.integers(1, 30), st.tuples(st.sampled_from([80, 8080]), st.booleans()), max_size=20)


@given(st.lists(states, min_size=1, max_size=6))
def test_any_sequence_ends_in_what_is_wanted(history: list[dict[int, tuple[int, bool]]]) -> None:
    slices: list[dict[str, Any]] = []
    names = count()
    for state in history:
        changes = diff(PARENT, "IPv4", wanted(state), slices, LIMIT)
        slices = apply(slices, changes, names)
        found = [
            (e["addresses"][0], s["ports"][0]["port"], e["conditions"]["ready"]) for s in slices for e in s["endpoints"]
        ]
        assert sorted(found) == sorted((f"10.0.0.{n}", port, ready) for n, (port, ready) in state.items())
        assert all(len(each["endpoints"]) <= LIMIT for each in slices)
        assert slices, "a Service always has a slice"
        again = diff(PARENT, "IPv4", wanted(state), slices, LIMIT)
        assert not (again.create or again.update or again.delete)


@given(states, st.data())
def test_one_changed_endpoint_is_one_write(state: dict[int, tuple[int, bool]], data: st.DataObject) -> None:
    if not state:
        return
    slices = apply([], diff(PARENT, "IPv4", wanted(state), [], LIMIT), count())
    number = data.draw(st.sampled_from(sorted(state)))
    port, ready = state[number]
    changes = diff(PARENT, "IPv4", wanted({**state, number: (port, not ready)}), slices, LIMIT)
    assert (len(changes.create), len(changes.update), len(changes.delete)) == (0, 1, 0)


def test_labels_of_the_service_are_followed_and_a_strangers_slice_is_replaced() -> None:
    old = apply([], diff(PARENT, "IPv4", wanted({1: (80, True)}), [], LIMIT), count())
    renamed = Parent("shop", "web", "test", {"uid": "owner"}, {"app": "new"}, headless=True)
    changes = diff(renamed, "IPv4", wanted({1: (80, True)}), old, LIMIT)
    assert changes.update[0]["metadata"]["labels"] == {
        "app": "new",
        "service.kubernetes.io/headless": "",
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "test",
    }
    reborn = Parent("shop", "web", "test", {"uid": "another"}, {"app": "web"})
    changes = diff(reborn, "IPv4", wanted({1: (80, True)}), old, LIMIT)
    assert len(changes.create) == len(changes.delete) == 1
