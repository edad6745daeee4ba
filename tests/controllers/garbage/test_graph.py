"""The graph is what its objects say, in whatever order they are told; and the last owner's end is always noticed."""

from hypothesis import given
from hypothesis import strategies as st

from weft.cluster.objects.meta import OwnerReference
from weft.cluster.objects.resource import PODS
from weft.controllers.garbage.graph import FOREGROUND, ORPHAN, Graph, Meta, Verdict, judge


def meta(uid: str, *owners: str, block: bool = True, leaving: bool = False, finalizers: tuple[str, ...] = ()) -> Meta:
    references = tuple(OwnerReference("v1", "Pod", owner, owner, block_owner_deletion=block) for owner in owners)
    return Meta(uid, "shop", uid, "1", "now" if leaving else None, finalizers, references or None)


def test_the_end_of_an_owner_points_at_its_dependents() -> None:
    graph = Graph()
    graph.put(PODS, meta("owner"))
    assert graph.put(PODS, meta("child", "owner")) == set()
    assert graph.is_held("child")
    assert graph.remove("owner") == {"child"}
    assert not graph.is_held("child")
    assert graph.put(PODS, meta("late", "owner")) == {"late"}, "its owner was never seen"


def test_a_foreground_deletion_goes_on_when_the_last_blocking_dependent_is_gone() -> None:
    graph = Graph()
    graph.put(PODS, meta("owner"))
    graph.put(PODS, meta("child", "owner"))
    graph.put(PODS, meta("loose", "owner", block=False))
    assert graph.put(PODS, meta("owner", leaving=True, finalizers=(FOREGROUND,))) == {"owner"}
    assert [each.meta.uid for each in graph.blocking("owner")] == ["child"]
    assert not graph.is_held("child"), "an owner that waits does not hold"
    assert graph.remove("child") == {"owner"}
    assert graph.blocking("owner") == []


def test_an_orphaning_owner_is_looked_at() -> None:
    graph = Graph()
    assert graph.put(PODS, meta("owner", leaving=True, finalizers=(ORPHAN,))) == {"owner"}


def test_verdicts() -> None:
    plain = meta("child", "a", "b")
    assert judge(plain, ["a", "b"], [], [], has_dependents=False) == Verdict()
    assert judge(plain, ["a"], ["b"], [], has_dependents=True) == Verdict(drop_owners=frozenset("b"))
    assert judge(plain, ["a"], [], ["b"], has_dependents=True) == Verdict(drop_owners=frozenset("b"))
    assert judge(plain, [], ["a", "b"], [], has_dependents=True) == Verdict(delete="Background")
    assert judge(plain, [], ["a"], ["b"], has_dependents=True) == Verdict(delete="Foreground")
    assert judge(plain, [], [], ["a"], has_dependents=False) == Verdict(delete="Background")
    kept = meta("child", "a", finalizers=(ORPHAN,))
    assert judge(kept, [], ["a"], [], has_dependents=True) == Verdict(delete="Orphan")


uids = st.sampled_from("abcdef")
steps = st.lists(st.one_of(st.tuples(uids, st.frozensets(uids, max_size=2)), uids), max_size=40)


@given(steps)
def test_any_order_of_news_gives_the_same_graph(history: list[str | tuple[str, frozenset[str]]]) -> None:
    graph, told = Graph(), {}
    for step in history:
        if isinstance(step, str):
            look = graph.remove(step)
            dependents = {uid for uid, owners in told.items() if step in owners and uid != step}
            if told.pop(step, None) is not None:
                assert look >= dependents - {step}
        else:
            uid, owners = step[0], step[1] - {step[0]}
            look = graph.put(PODS, meta(uid, *sorted(owners)))
            if (owners - told.get(uid, frozenset())) - told.keys():
                assert uid in look
            told[uid] = owners
    assert set(graph.vertices) == set(told)
    for uid in told:
        assert {each.meta.uid for each in graph.dependents(uid)} == {u for u, owners in told.items() if uid in owners}
