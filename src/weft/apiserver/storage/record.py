"""Values of the store: an object's encoded version, and the step from one version to the next. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

Object = dict[str, Any]
_decoder = msgspec.json.Decoder(dict[str, Any])
_encoder = msgspec.json.Encoder()

NO_LABELS: Mapping[str, str] = {}


def encode(obj: Any) -> bytes:
    return _encoder.encode(obj)


def decode(data: bytes) -> Object:
    return _decoder.decode(data)


class Record:
    """One version of one object. `key` is `namespace/name`, or `name` where there are no namespaces."""

    __slots__ = ("data", "fields", "key", "labels", "name", "namespace", "rv")

    def __init__(self, key: str, rv: int, data: bytes) -> None:
        self.key = key
        namespace, _, name = key.rpartition("/")
        self.namespace = namespace
        self.name = name
        self.rv = rv
        self.data = data
        self.labels: Mapping[str, str] = NO_LABELS
        self.fields: tuple[str, ...] | None = None
        """Values of the kind's selectable fields; None until the record is indexed (see cache.Index)."""

    def object(self) -> Object:
        """A fresh copy, the caller's own."""
        return _decoder.decode(self.data)


class Change:
    """`previous` became `record` at revision `rv`: one of the two is None on creation and deletion."""

    __slots__ = ("_lines", "previous", "record", "rv")

    def __init__(self, rv: int, record: Record | None, previous: Record | None) -> None:
        self.rv = rv
        self.record = record
        self.previous = previous
        self._lines: dict[str, bytes] = {}

    @property
    def key(self) -> str:
        record = self.record or self.previous
        assert record is not None
        return record.key

    def data(self, type: str) -> bytes:
        """The object that an event of this type carries. DELETED: the last version, at the revision of its end."""
        if type != "DELETED":
            assert self.record is not None
            return self.record.data
        assert self.previous is not None
        obj = self.previous.object()
        obj["metadata"]["resourceVersion"] = str(self.rv)
        return encode(obj)

    def line(self, type: str) -> bytes:
        """The framed watch event, encoded once for all who watch."""
        made = self._lines.get(type)
        if made is None:
            made = b'{"type":"' + type.encode() + b'","object":' + self.data(type) + b"}\n"
            self._lines[type] = made
        return made
