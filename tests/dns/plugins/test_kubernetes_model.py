"""The indexes after any events are those of the objects that are left; and every answer that changes is told of.

The second is what prepared answers rest on: a question whose answer an event changes must carry one of its tags.
"""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from weft.dns.message import names
from weft.dns.plugins.kubernetes.lookup import lookup, reverse
from weft.dns.plugins.kubernetes.model import Model
from weft.dns.plugins.kubernetes.objects import (
    Conditions,
    Endpoint,
    EndpointSlice,
    Meta,
    Namespace,
    Pod,
    PodAddress,
    PodStatus,
    Port,
    Service,
    ServiceSpec,
    SliceLabels,
    SliceMeta,
)
from weft.dns.plugins.kubernetes.setup import Config

ZONE = names.from_text("cluster.local")
ADDRESSES = ("10.0.0.1", "10.0.0.2", "fd00::1")
CONFIGS = (Config((ZONE,), pods="verified"), Config((ZONE,), pods="insecure", ignore_empty=True))
QUESTIONS = [
    *(f"{service}.{namespace}.svc" for service in ("a", "b") for namespace in ("x", "y")),
    "_p._tcp.a.x.svc", "_q._tcp.a.x.svc", "h.a.x.svc", "10-0-0-1.a.x.svc", "10-0-0-2.b.y.svc", "10-0-0-1.x.pod",
    "fd00--1.y.pod", "x.svc", "y.pod", "svc", "n.n",
]  # fmt: skip

address = st.sampled_from(ADDRESSES)
ports = st.lists(st.builds(Port, st.just(1), st.sampled_from("pq"), st.just("TCP")), max_size=2).map(tuple)
endpoints = st.builds(
    Endpoint,
    st.tuples(address),
    st.sampled_from([None, Conditions(True), Conditions(False)]),
    st.sampled_from([None, "h"]),
)
specs = st.one_of(
    st.builds(lambda ip, p: ServiceSpec("ClusterIP", ip, (ip,), "", p), st.sampled_from((*ADDRESSES, "None")), ports),
    st.just(ServiceSpec(type="ExternalName", external_name="b.y.svc.cluster.local")),
)
namespaces, services = st.sampled_from("xy"), st.sampled_from("ab")
events = st.one_of(
    st.tuples(st.just("namespace"), namespaces, st.sampled_from([None, True])),
    st.tuples(st.just("service"), st.tuples(namespaces, services), st.none() | specs),
    st.tuples(
        st.just("slice"),
        st.tuples(namespaces, st.sampled_from("12")),
        st.none() | st.tuples(services, st.lists(endpoints, max_size=3).map(tuple), ports),
    ),
    st.tuples(st.just("pod"), st.tuples(namespaces, st.sampled_from("mn")), st.none() | st.tuples(address)),
)


def made(kind: str, key: Any, value: Any) -> Any:
    if value is None:
        return None
    if kind == "namespace":
        return Namespace(Meta(key))
    namespace, name = key
    if kind == "service":
        return Service(Meta(name, namespace), value)
    if kind == "pod":
        return Pod(Meta(name, namespace), PodStatus(tuple(PodAddress(ip) for ip in value)))
    of, found, numbers = value
    return EndpointSlice(SliceMeta(name, namespace, SliceLabels(of)), found, numbers)


def apply(model: Model, kind: str, key: str, old: Any, new: Any) -> set[str] | None:
    """The tags of the change; None where everything is to be forgotten."""
    if kind == "namespace":
        return None if model.set_namespace(key, new) else set()
    tags: set[str] = getattr(model, f"set_{kind}")(key, old, new)
    return tags


def answers(model: Model) -> dict[Any, tuple[Any, tuple[str, ...]]]:
    found: dict[Any, tuple[Any, tuple[str, ...]]] = {}
    for config in CONFIGS:
        for question in QUESTIONS:
            got = lookup(model, config, ZONE, [label.encode() for label in question.split(".")])
            found[config.pods, question] = (got.targets, got.tags)
        for ip in ADDRESSES:
            found[config.pods, ip] = (sorted(reverse(model, config, ip)), (f"ip:{ip}",))
    return found


@given(st.lists(events, max_size=25))
@settings(max_examples=150, deadline=None)
def test_events_in_any_order(steps):
    model = Model()
    objects: dict[tuple[str, str], Any] = {}
    for kind, key, value in steps:
        text = key if isinstance(key, str) else "/".join(key)
        new, old, before = made(kind, key, value), objects.get((kind, text)), answers(model)
        tags = apply(model, kind, text, old, new)
        objects.pop((kind, text), None)
        if new is not None:
            objects[kind, text] = new
        fresh = Model()
        for (other, name), obj in objects.items():
            apply(fresh, other, name, None, obj)
        after = answers(model)
        assert after == answers(fresh)
        for question, (answer, of) in before.items():
            if tags is not None and after[question][0] != answer:
                assert tags & set(of), question
