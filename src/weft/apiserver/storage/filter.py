"""Which objects a list or a watch is about: a namespace, a name, labels and fields together. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from weft.apiserver.selectors import FieldSelector, LabelSelector
from weft.apiserver.storage.record import NO_LABELS, Object, Record

Fields = Mapping[str, Callable[[Object], str]]
"""The kind's selectable fields beyond metadata.name and metadata.namespace."""


EVERY_LABEL = LabelSelector()
EVERY_FIELD = FieldSelector()


class Index:
    """Computes what filters look at: at once for an object that is written, on first need for one that was loaded."""

    def __init__(self, fields: Fields) -> None:
        self._functions = tuple(fields.values())
        self.positions = {name: position for position, name in enumerate(fields)}

    def note(self, record: Record, obj: Object) -> None:
        record.labels = obj["metadata"].get("labels") or NO_LABELS
        record.fields = tuple([function(obj) for function in self._functions])

    def ensure(self, record: Record) -> None:
        if record.fields is None:
            self.note(record, record.object())

    def value(self, record: Record, field: str) -> str:
        """ "" for a field that the kind does not have."""
        if field == "metadata.name":
            return record.name
        if field == "metadata.namespace":
            return record.namespace
        if record.fields is None:
            self.ensure(record)
        assert record.fields is not None
        position = self.positions.get(field)
        return "" if position is None else record.fields[position]


@dataclass(frozen=True, slots=True)
class Filter:
    namespace: str = ""
    labels: LabelSelector = EVERY_LABEL
    fields: FieldSelector = EVERY_FIELD

    @property
    def selects(self) -> bool:
        """Whether anything but the namespace matters."""
        return bool(self.labels.requirements or self.fields.requirements)

    def matches(self, record: Record, index: Index) -> bool:
        if self.namespace and record.namespace != self.namespace:
            return False
        if not self.selects:
            return True
        index.ensure(record)
        if self.labels.requirements and not self.labels.matches(record.labels):
            return False
        return self.fields.matches(lambda field: index.value(record, field))
