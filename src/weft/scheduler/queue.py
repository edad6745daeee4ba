"""Pods that wait for a node: ready to be tried, backing off, or waiting for the cluster to change. Pure.

First come, first served; priorities are not looked at. A pod that found no node is tried again when something
happens that could help it, but not sooner than its back-off allows, and after five minutes in any case.
"""

import heapq
from collections import OrderedDict
from dataclasses import dataclass

from weft.scheduler.objects import Pod

_FIRST_BACKOFF = 0.1
_MOST_BACKOFF = 10.0
_STALE = 300.0


@dataclass(slots=True)
class Waiting:
    pod: Pod
    attempts: int = 0
    failed_at: float = 0.0
    room_helps: bool = True

    def backoff_ends(self) -> float:
        doublings = min(max(0, self.attempts - 1), 10)
        return self.failed_at + min(_FIRST_BACKOFF * (1 << doublings), _MOST_BACKOFF)


class SchedulingQueue:
    """All times are of one monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._active: OrderedDict[str, Waiting] = OrderedDict()
        self._backing_off: dict[str, Waiting] = {}
        self._ends: list[tuple[float, str]] = []
        self._unschedulable: dict[str, Waiting] = {}

    def __len__(self) -> int:
        return len(self._active)

    def sizes(self) -> dict[str, int]:
        return {
            "active": len(self._active),
            "backoff": len(self._backing_off),
            "unschedulable": len(self._unschedulable),
        }

    def add(self, pod: Pod) -> None:
        """A pod that is new, or has changed in a way that could help it: it is tried at once."""
        uid = pod.metadata.uid
        known = self._backing_off.pop(uid, None) or self._unschedulable.pop(uid, None) or self._active.get(uid)
        if known is None:
            known = Waiting(pod)
        known.pod = pod
        self._active.setdefault(uid, known)

    def update(self, pod: Pod) -> None:
        """The pod has changed in a way that helps nothing (its status): keep its place."""
        uid = pod.metadata.uid
        for held in (self._active, self._backing_off, self._unschedulable):
            if uid in held:
                held[uid].pod = pod

    def remove(self, uid: str) -> None:
        for held in (self._active, self._backing_off, self._unschedulable):
            held.pop(uid, None)

    def pop(self) -> Waiting | None:
        if not self._active:
            return None
        _, waiting = self._active.popitem(last=False)
        waiting.attempts += 1
        return waiting

    def failed(self, waiting: Waiting, now: float, *, room_helps: bool) -> None:
        """No node fits: wait until something changes."""
        waiting.failed_at, waiting.room_helps = now, room_helps
        self._unschedulable[waiting.pod.metadata.uid] = waiting

    def retry(self, waiting: Waiting, now: float) -> None:
        """Something went wrong that may be right the next time: back off, then try again."""
        waiting.failed_at = now
        self._back_off(waiting)

    def cluster_changed(self, now: float, *, only_room: bool) -> None:
        """A node changed, or (`only_room`) a pod left: wakes those that this could help."""
        for uid, waiting in list(self._unschedulable.items()):
            if only_room and not waiting.room_helps:
                continue
            del self._unschedulable[uid]
            if waiting.backoff_ends() <= now:
                self._active[uid] = waiting
            else:
                self._back_off(waiting)

    def flush(self, now: float) -> None:
        """Makes ready what has backed off, or has waited long."""
        while self._ends and self._ends[0][0] <= now:
            _, uid = heapq.heappop(self._ends)
            waiting = self._backing_off.get(uid)
            if waiting is not None and waiting.backoff_ends() <= now:
                del self._backing_off[uid]
                self._active[uid] = waiting
        for uid, waiting in list(self._unschedulable.items()):
            if waiting.failed_at + _STALE <= now:
                del self._unschedulable[uid]
                self._active[uid] = waiting

    def next_flush(self) -> float | None:
        """When the next back-off ends."""
        return self._ends[0][0] if self._ends else None

    def _back_off(self, waiting: Waiting) -> None:
        uid = waiting.pod.metadata.uid
        self._backing_off[uid] = waiting
        heapq.heappush(self._ends, (waiting.backoff_ends(), uid))
