"""The watch cache against a model that keeps every state: lists of any moment, and watchers that see every change."""

import string

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from weft.apiserver.selectors import parse_fields, parse_labels
from weft.apiserver.storage import cache as cache_module
from weft.apiserver.storage.cache import ResourceCache, TooOld
from weft.apiserver.storage.filter import Filter, Index
from weft.apiserver.storage.record import Change, Record, encode
from weft.apiserver.storage.watchers import Watcher

State = dict[str, tuple[int, str, str]]
KEYS = [f"{namespace}/{name}" for namespace in ("a", "a-b", "b") for name in ("x", "y", "z")]
FILTERS = [
    Filter(),
    Filter("a"),
    Filter("", parse_labels("color=red")),
    Filter("", parse_labels("color!=red"), parse_fields("spec.node=n1")),
    Filter("b", fields=parse_fields("spec.node=n1")),
    Filter("", fields=parse_fields("metadata.name=x,spec.node!=n1")),
]


def matches(filter: Filter, key: str, value: tuple[int, str, str]) -> bool:
    namespace, name = key.split("/")
    _, color, node = value
    return (
        (not filter.namespace or filter.namespace == namespace)
        and filter.labels.matches({"color": color} if color else {})
        and filter.fields.matches(lambda field: {"metadata.name": name, "spec.node": node}.get(field, ""))
    )


class CacheMachine(RuleBasedStateMachine):
    watchers = Bundle("watchers")

    def __init__(self) -> None:
        super().__init__()
        self.index = Index({"spec.node": lambda obj: obj["spec"].get("node", "")})
        self.cache = ResourceCache(self.index)
        self.rv = 0
        self.states: list[State] = [{}]
        self.views: list[tuple[Watcher, State]] = []

    def _record(self, key: str, color: str, node: str) -> Record:
        labels = {"color": color} if color else {}
        meta = {"name": key.split("/")[1], "resourceVersion": str(self.rv), "labels": labels}
        obj = {"metadata": meta, "spec": {"node": node}}
        return Record(key, self.rv, encode(obj))

    @rule(key=st.sampled_from(KEYS), color=st.sampled_from(["red", "blue", ""]), node=st.sampled_from(["n1", "n2", ""]))
    def put(self, key: str, color: str, node: str) -> None:
        self.rv += 1
        change = Change(self.rv, self._record(key, color, node), self.cache.records.get(key))
        self.cache.apply(change)
        self.states.append({**self.states[-1], key: (self.rv, color, node)})
        self.cache.trim()

    @rule(key=st.sampled_from(KEYS))
    def remove(self, key: str) -> None:
        previous = self.cache.records.get(key)
        if previous is None:
            return
        self.rv += 1
        self.cache.apply(Change(self.rv, None, previous))
        self.states.append({other: value for other, value in self.states[-1].items() if other != key})
        self.cache.trim()

    @rule(filter=st.sampled_from(FILTERS), back=st.integers(0, 12))
    def watch(self, filter: Filter, back: int) -> None:
        since = max(self.rv - back, 0)
        try:
            watcher = self.cache.watch(filter, since)
        except TooOld:
            assert since < self.cache.oldest
            return
        view = {key: value for key, value in self.states[since].items() if matches(filter, key, value)}
        self.views.append((watcher, view))

    @rule(filter=st.sampled_from(FILTERS), back=st.integers(0, 12), limit=st.integers(0, 4))
    def pages(self, filter: Filter, back: int, limit: int) -> None:
        rv = max(self.rv - back, 0)
        if rv < self.cache.oldest:
            return
        found: list[str] = []
        start = ""
        while True:
            page = self.cache.page(filter, rv, start, limit)
            found += [f"{record.key}@{record.rv}" for record in page.records]
            assert not limit or len(page.records) <= limit
            if not (start := page.next_key):
                break
        wanted = self.states[rv].items()
        assert found == [f"{key}@{value[0]}" for key, value in sorted(wanted) if matches(filter, key, value)]

    @invariant()
    def watchers_have_seen_everything(self) -> None:
        for watcher, view in self.views:
            while watcher.pending:
                type, change = watcher.pending.popleft()
                assert (type == "ADDED") == (change.key not in view)
                if type == "DELETED":
                    del view[change.key]
                else:
                    view[change.key] = self.states[change.rv][change.key]
            now = self.states[-1].items()
            assert view == {key: value for key, value in now if matches(watcher.filter, key, value)}

    def teardown(self) -> None:
        for watcher, _ in self.views:
            self.cache.watchers.discard(watcher)
        assert len(self.cache.watchers) == 0


class SmallRing(CacheMachine):
    def __init__(self) -> None:
        cache_module.RING = 6
        super().__init__()

    def teardown(self) -> None:
        super().teardown()
        cache_module.RING = 8192


TestCache = CacheMachine.TestCase
TestSmallRing = SmallRing.TestCase
for case in (TestCache, TestSmallRing):
    case.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@given(st.lists(st.text(string.ascii_lowercase + "-", min_size=1, max_size=4), unique=True))
def test_a_namespace_is_a_range_of_keys(namespaces: list[str]) -> None:
    cache = ResourceCache(Index({}))
    for rv, namespace in enumerate(namespaces, 1):
        cache.apply(Change(rv, Record(f"{namespace}/x", rv, b"{}"), None))
    for namespace in namespaces:
        assert [record.namespace for record in cache.page(Filter(namespace)).records] == [namespace]
