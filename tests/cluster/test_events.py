from typing import Any

from weft.cluster.events import Correlator, EventRecorder, reference
from weft.cluster.fake import FakeCluster
from weft.cluster.objects.resource import CORE_EVENTS, NODES, PODS

POD = {"metadata": {"name": "web", "namespace": "shop", "uid": "u1"}}


async def _stored(cluster: FakeCluster) -> list[dict[str, Any]]:
    return list((await cluster.list(CORE_EVENTS, as_=dict)).items)


async def test_equal_events_are_counted_in_one_object() -> None:
    cluster = FakeCluster()
    recorder = EventRecorder(cluster, "kubelet", "node1", clock=lambda: 1_000_000.5)
    for _ in range(2):
        recorder.event(reference(PODS, POD), "Warning", "BackOff", "Back-off restarting")
    await recorder.close()
    recorder.event(reference(PODS, POD), "Warning", "BackOff", "Back-off restarting")
    await recorder.close()
    (event,) = await _stored(cluster)
    assert event["count"] == 3
    assert event["source"] == {"component": "kubelet", "host": "node1"}
    assert event["involvedObject"] == {
        "kind": "Pod",
        "apiVersion": "v1",
        "namespace": "shop",
        "name": "web",
        "uid": "u1",
    }
    assert event["metadata"]["namespace"] == "shop"


async def test_events_of_cluster_scoped_objects_lie_in_default() -> None:
    cluster = FakeCluster()
    recorder = EventRecorder(cluster, "node-controller")
    recorder.event(reference(NODES, {"metadata": {"name": "node1"}}), "Normal", "RegisteredNode", "here")
    await recorder.close()
    assert (await _stored(cluster))[0]["metadata"]["namespace"] == "default"


async def test_an_expired_event_is_made_again() -> None:
    cluster = FakeCluster()
    recorder = EventRecorder(cluster, "kubelet")
    recorder.event(reference(PODS, POD), "Normal", "Pulled", "x")
    await recorder.close()
    name = (await _stored(cluster))[0]["metadata"]["name"]
    await cluster.delete(CORE_EVENTS, name, "shop")
    recorder.event(reference(PODS, POD), "Normal", "Pulled", "x")
    await recorder.close()
    assert (await _stored(cluster))[0]["count"] == 2


def _event(message: str) -> dict[str, Any]:
    return {"involvedObject": {"kind": "Pod", "name": "web"}, "type": "Normal", "reason": "R", "message": message}


def test_similar_events_are_combined_and_then_silenced() -> None:
    correlator = Correlator()
    keys = [correlator.take(_event(f"try {n}"), 100.0) for n in range(30)]
    assert len({key for key in keys if key}) == 11
    assert keys[25:] == [None] * 5
    assert correlator.take(_event("later"), 100.0 + 300) is not None
    combined = correlator.series[("Pod", "", "web", "", "", "Normal", "R")]
    assert combined.event["message"] == "(combined from similar events): later"


def test_nothing_that_is_wrong_with_an_event_reaches_the_caller() -> None:
    EventRecorder(FakeCluster(), "kubelet").event({}, "Normal", "R", "no name, no loop")
