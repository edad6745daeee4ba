"""Events about objects, for `kubectl describe` and `kubectl events` (core/v1 Event, "Event Correlation" of client-go).

`EventRecorder.event()` never blocks and never raises: what happens to the object matters, telling of it is a courtesy.
Equal events become one with a count; many similar ones become one "(combined from similar events)"; an object that is
told of too often is silent for a while.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from weft.cluster.errors import ApiError, NotFound
from weft.cluster.objects.resource import CORE_EVENTS, Resource
from weft.cluster.port import Cluster, Object

EventLevel = Literal["Normal", "Warning"]

_BURST = 25
_REFILL = 300.0  # seconds until an object that used up its burst may tell one event more
_SIMILAR = 10
_FORGET = 600.0  # seconds after which equal or similar events are new ones
_REMEMBER = 4096
_QUEUE = 2048
_AT_ONCE = 8

_log = logging.getLogger(__name__)


def reference(resource: Resource, obj: Any, field_path: str = "") -> Object:
    """The ObjectReference of a plain object or of a struct (items of a list do not carry their own kind)."""
    if isinstance(obj, Mapping):
        meta = obj["metadata"]
        namespace, name, uid = meta.get("namespace", ""), meta["name"], meta.get("uid", "")
        version = meta.get("resourceVersion", "")
    else:
        meta = obj.metadata
        namespace, name, uid, version = meta.namespace, meta.name, meta.uid, meta.resource_version
    made = {
        "kind": resource.kind,
        "apiVersion": resource.api_version,
        "namespace": namespace,
        "name": name,
        "uid": uid,
        "resourceVersion": version,
        "fieldPath": field_path,
    }
    return {key: value for key, value in made.items() if value}


@dataclass(slots=True)
class _Series:
    """What is known of one stored event: its name once it is created, and how often it was seen."""

    event: Object
    count: int
    last: float
    stored: bool = False


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled: float


@dataclass(slots=True)
class Correlator:
    """Decides what becomes of an event: dropped, counted, combined or new. `now` is in Unix seconds."""

    series: OrderedDict[tuple[str, ...], _Series] = field(default_factory=OrderedDict)
    similar: OrderedDict[tuple[str, ...], tuple[float, set[str]]] = field(default_factory=OrderedDict)
    buckets: OrderedDict[tuple[str, ...], _Bucket] = field(default_factory=OrderedDict)

    def take(self, event: Object, now: float) -> tuple[str, ...] | None:
        """Notes the event; the key of the series that must be written, or None where it is dropped."""
        about = event["involvedObject"]
        who = (about.get("kind", ""), about.get("namespace", ""), about.get("name", ""), about.get("uid", ""))
        if not self._allowed(who, now):
            return None
        group = (*who, about.get("fieldPath", ""), event["type"], event["reason"])
        message = event["message"]
        since, messages = self.similar.get(group, (now, set()))
        if now - since > _FORGET:
            since, messages = now, set()
        messages.add(message)
        _keep(self.similar, group, (now, messages))
        if len(messages) > _SIMILAR:
            messages.pop()
            event = {**event, "message": f"(combined from similar events): {message}"}
            key: tuple[str, ...] = group
        else:
            key = (*group, message)
        known = self.series.get(key)
        if known is None or now - known.last > _FORGET:
            known = _Series(event, 0, now)
        known.count, known.last = known.count + 1, now
        known.event["message"] = event["message"]
        _keep(self.series, key, known)
        return key

    def _allowed(self, who: tuple[str, ...], now: float) -> bool:
        bucket = self.buckets.get(who) or _Bucket(_BURST, now)
        bucket.tokens = min(_BURST, bucket.tokens + (now - bucket.filled) / _REFILL)
        bucket.filled = now
        _keep(self.buckets, who, bucket)
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True


def _keep(table: OrderedDict[tuple[str, ...], Any], key: tuple[str, ...], value: Any) -> None:
    table[key] = value
    table.move_to_end(key)
    if len(table) > _REMEMBER:
        table.popitem(last=False)


class EventRecorder:
    """`component` and `host` are told as the event's source (`From` in `kubectl describe`)."""

    def __init__(
        self, cluster: Cluster, component: str, host: str = "", *, clock: Callable[[], float] = time.time
    ) -> None:
        self._cluster = cluster
        self._source = {"component": component, **({"host": host} if host else {})}
        self._clock = clock
        self._correlator = Correlator()
        self._waiting: OrderedDict[tuple[str, ...], None] = OrderedDict()
        self._writer: asyncio.Task[None] | None = None

    def event(self, obj_ref: Mapping[str, Any], type: EventLevel, reason: str, message: str) -> None:
        """Tells `message` about the object; `obj_ref` is made by `reference()`. Call it on the event loop."""
        try:
            self._note(dict(obj_ref), type, reason, message)
        except Exception:
            _log.exception("event %s could not be noted", reason)

    def _note(self, about: Object, type: EventLevel, reason: str, message: str) -> None:
        now = self._clock()
        stamp = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        event: Object = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{about['name']}.{int(now * 1e9):x}",
                "namespace": about.get("namespace") or "default",
            },
            "involvedObject": about,
            "type": type,
            "reason": reason,
            "message": message[:1024],
            "source": self._source,
            "reportingComponent": self._source["component"],
            "reportingInstance": self._source.get("host", ""),
            "firstTimestamp": stamp,
        }
        key = self._correlator.take(event, now)
        if key is None:
            return
        self._waiting[key] = None
        if len(self._waiting) > _QUEUE:
            self._waiting.popitem(last=False)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.get_running_loop().create_task(self._drain(), name="events")

    async def _drain(self) -> None:
        while self._waiting:
            keys = [self._waiting.popitem(last=False)[0] for _ in range(min(_AT_ONCE, len(self._waiting)))]
            await asyncio.gather(*(self._write(key) for key in keys))

    async def _write(self, key: tuple[str, ...]) -> None:
        series = self._correlator.series.get(key)
        if series is None:
            return
        stamp = datetime.fromtimestamp(series.last, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        seen = {"count": series.count, "lastTimestamp": stamp}
        meta = series.event["metadata"]
        try:
            if series.stored:
                try:
                    patch = {**seen, "message": series.event["message"]}
                    await self._cluster.patch(CORE_EVENTS, meta["name"], patch, meta["namespace"])
                    return
                except NotFound:
                    pass  # events expire
            await self._cluster.create(CORE_EVENTS, {**series.event, **seen}, meta["namespace"])
            series.stored = True
        except ApiError as error:
            # A namespace that is going away takes no events: that is as it should be.
            level = logging.DEBUG if error.code in (403, 404) else logging.WARNING
            _log.log(level, "event %s about %s was not stored: %s", series.event["reason"], key[2], error)
        except Exception:
            _log.exception("event %s about %s was not stored", series.event["reason"], key[2])

    async def close(self, timeout: float = 1.0) -> None:
        """Writes what waits, for at most `timeout` seconds."""
        if self._writer is not None and not self._writer.done():
            await asyncio.wait({self._writer}, timeout=timeout)
            self._writer.cancel()
