"""5,000 kubelets and their pods: what a change and a list cost must not grow with those whom they do not concern."""

import time

import pytest

from weft.apiserver.kinds.pods import KIND
from weft.apiserver.selectors import parse_fields
from weft.apiserver.storage.cache import ResourceCache
from weft.apiserver.storage.filter import Filter, Index
from weft.apiserver.storage.record import Change, Record, encode

NODES, PODS = 5_000, 150_000


def pod(number: int, rv: int) -> Record:
    meta = {"name": f"p{number}", "namespace": f"n{number % 50}", "resourceVersion": str(rv)}
    obj = {"metadata": meta, "spec": {"nodeName": f"node{number % NODES}"}, "status": {"phase": "Running"}}
    return Record(f"n{number % 50}/p{number}", rv, encode(obj))


def mine(node: int) -> Filter:
    return Filter("", fields=parse_fields(f"spec.nodeName=node{node}"))


@pytest.mark.scale
def test_kubelets_pay_for_their_own_pods_only() -> None:
    cache = ResourceCache(Index(KIND.selectable))
    for number in range(PODS):
        cache.load(pod(number, number + 1))
    cache.sort()
    watchers = [cache.watch(mine(node), PODS) for node in range(NODES)]
    begun = time.perf_counter()
    for number in range(1000):
        rv = PODS + number + 1
        key = f"n{number % 50}/p{number}"
        cache.apply(Change(rv, pod(number, rv), cache.records[key]))
    per_change = (time.perf_counter() - begun) / 1000
    assert [len(watcher.pending) for watcher in watchers] == [1] * 1000 + [0] * (NODES - 1000)
    assert len(cache.page(mine(7)).records) == PODS // NODES  # builds the index
    begun = time.perf_counter()
    for node in range(1000):
        assert len(cache.page(mine(node)).records) == PODS // NODES
    per_list = (time.perf_counter() - begun) / 1000
    assert per_change < 0.001 and per_list < 0.002, (per_change, per_list)
