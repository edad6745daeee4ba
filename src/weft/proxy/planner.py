"""Objects in, changed entries out: keeps the Services' slices together and settles who holds an address and port."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from weft.cluster.objects.service import Service
from weft.proxy.model import Entry, Frontend, NodeView, Problems, entries
from weft.proxy.objects import EndpointSlice


@dataclass(slots=True)
class Planner:
    """Pure. Tell it objects; `changes()` says what became of the frontends that they touch.

    Two Services may claim one frontend (by externalIPs). The one whose key sorts first holds it, whatever came first,
    so that all nodes agree.
    """

    node: NodeView
    services: dict[str, Service] = field(default_factory=dict)
    problems: Problems = field(default_factory=Problems)
    _slices: dict[str, dict[str, EndpointSlice]] = field(default_factory=dict)
    _held: dict[str, tuple[Frontend, ...]] = field(default_factory=dict)
    _claims: dict[Frontend, list[str]] = field(default_factory=dict)
    """Only where there is more than one claim."""
    _holder: dict[Frontend, str] = field(default_factory=dict)
    _dirty: set[str] = field(default_factory=set)

    def __len__(self) -> int:
        """How many frontends there are."""
        return len(self._holder)

    @property
    def pending(self) -> int:
        return len(self._dirty)

    def set_service(self, key: str, service: Service | None) -> None:
        if service is None:
            self.services.pop(key, None)
        else:
            self.services[key] = service
        self._dirty.add(key)

    def set_slice(self, old: EndpointSlice | None, new: EndpointSlice | None) -> None:
        """A slice may be relabelled: then it leaves one Service and joins another."""
        if old is not None and (new is None or old.service_key != new.service_key):
            held = self._slices.get(old.service_key, {})
            held.pop(old.metadata.key, None)
            if not held:
                self._slices.pop(old.service_key, None)
            self._dirty.add(old.service_key)
        if new is not None and new.service_key:
            self._slices.setdefault(new.service_key, {})[new.metadata.key] = new
            self._dirty.add(new.service_key)

    def set_node(self, node: NodeView) -> bool:
        """Whether anything depends on the difference; then all Services are looked at again."""
        if node == self.node:
            return False
        self.node = node
        self._dirty.update(self.services)
        return True

    def everything(self) -> dict[Frontend, Entry]:
        """All entries, from the objects alone; nothing is left to be told by `changes`."""
        self._held, self._claims, self._holder = {}, {}, {}
        self._dirty = set(self.services)
        return {at: entry for at, entry in self.changes().items() if entry is not None}

    def changes(self) -> dict[Frontend, Entry | None]:
        """Entries of all frontends that the objects told since the last call touch; None: it is no more."""
        dirty, self._dirty = self._dirty, set()
        planned = {key: self._entries(key) for key in dirty}
        touched: dict[Frontend, Entry | None] = {}
        for key in dirty:
            for at in self._held.get(key, ()):
                if at not in planned[key]:
                    self._release(at, key)
                    touched[at] = None
        for key, made in planned.items():
            for at in made:
                self._claim(at, key)
                touched[at] = None
            if made:
                self._held[key] = tuple(made)
            else:
                self._held.pop(key, None)
        for at in touched:
            holder = self._holder.get(at)
            if holder is not None:
                if holder not in planned:
                    planned[holder] = self._entries(holder)
                touched[at] = planned[holder][at]
        return touched

    def _entries(self, key: str) -> Mapping[Frontend, Entry]:
        service = self.services.get(key)
        if service is None:
            return {}
        try:
            return entries(service, self._slices.get(key, {}).values(), self.node, self.problems)
        except ValueError as error:
            # A foreign server may hold what ours would refuse: the Service is left out, all others go on.
            self.problems.add(key, str(error))
            return {}

    def _claim(self, at: Frontend, key: str) -> None:
        holder = self._holder.setdefault(at, key)
        if holder != key:
            claims = self._claims.setdefault(at, [holder])
            if key not in claims:
                claims.append(key)
                claims.sort()
                self.problems.add(key, f"{at.protocol} port {at.port} of its address is claimed by {claims[0]} too")
            self._holder[at] = claims[0]

    def _release(self, at: Frontend, key: str) -> None:
        claims = self._claims.get(at)
        if claims is None:
            del self._holder[at]
            return
        claims.remove(key)
        self._holder[at] = claims[0]
        if len(claims) == 1:
            del self._claims[at]

    def slices_of(self, key: str) -> Iterable[EndpointSlice]:
        return self._slices.get(key, {}).values()
