from tests.scheduler.build import pod

from weft.scheduler.queue import SchedulingQueue


def test_first_come_first_served() -> None:
    queue = SchedulingQueue()
    for name in ("a", "b"):
        queue.add(pod(name))
    assert [queue.pop().pod.metadata.name for _ in range(2)] == ["a", "b"]  # type: ignore[union-attr]
    assert queue.pop() is None


def test_a_pod_without_a_node_waits_for_a_change_and_its_back_off() -> None:
    queue = SchedulingQueue()
    queue.add(pod("a"))
    waiting = queue.pop()
    assert waiting is not None
    queue.failed(waiting, now=100.0, room_helps=False)
    queue.cluster_changed(100.02, only_room=True)
    assert queue.sizes() == {"active": 0, "backoff": 0, "unschedulable": 1}
    queue.cluster_changed(100.02, only_room=False)
    assert queue.sizes() == {"active": 0, "backoff": 1, "unschedulable": 0}
    assert queue.next_flush() == 100.1
    queue.flush(100.09)
    assert queue.pop() is None
    queue.flush(100.1)
    assert queue.pop() is waiting
    queue.failed(waiting, now=101.0, room_helps=True)
    queue.cluster_changed(101.21, only_room=True)
    assert len(queue) == 1, "the back-off was over"


def test_nothing_waits_for_ever_and_a_change_of_the_pod_wakes_it() -> None:
    queue = SchedulingQueue()
    queue.add(pod("a"))
    waiting = queue.pop()
    assert waiting is not None
    queue.failed(waiting, now=0.0, room_helps=True)
    queue.flush(299.0)
    assert len(queue) == 0
    queue.flush(300.0)
    assert queue.pop() is waiting
    queue.failed(waiting, now=300.0, room_helps=True)
    queue.add(pod("a", nodeSelector={"x": "y"}))
    again = queue.pop()
    assert again is waiting
    assert again.pod.spec.node_selector == {"x": "y"}
    queue.retry(again, now=300.0)
    queue.remove("uid-a")
    queue.flush(1000.0)
    assert queue.pop() is None
