import asyncio

from weft.cluster.fake import FakeCluster
from weft.cluster.objects.resource import PODS
from weft.cluster.port import Object
from weft.controllers.cache import Cache


def pod(name: str, version: int, uid: str = "u") -> Object:
    return {"metadata": {"name": name, "namespace": "shop", "uid": uid, "resourceVersion": str(version)}}


def lagging(version: int) -> Cache:
    """A cache whose watch has reached `version`."""
    cache = Cache(FakeCluster(), PODS)
    cache._reflector.resource_version = str(version)
    return cache


def test_our_own_write_is_seen_before_the_watch_tells_it() -> None:
    cache = lagging(5)
    cache.remember(pod("a", 7))
    assert list(cache.objects) == ["shop/a"]
    cache._told("shop/a", None, pod("a", 6))
    assert cache.objects["shop/a"]["metadata"]["resourceVersion"] == "7", "older news change nothing"
    cache._told("shop/a", pod("a", 6), pod("a", 8))
    assert cache.objects["shop/a"]["metadata"]["resourceVersion"] == "8"


def test_a_late_answer_does_not_bring_the_dead_back() -> None:
    cache = lagging(9)
    cache.remember(pod("a", 7))
    assert not cache.objects, "the watch is past 7, and there is no such pod"


def test_a_pod_of_the_same_name_outlives_the_news_of_its_forerunners_end() -> None:
    cache = lagging(5)
    cache._told("shop/a", None, pod("a", 5, "old"))
    cache.remember(pod("a", 8, "new"))
    cache._told("shop/a", pod("a", 5, "old"), None)
    assert cache.objects["shop/a"]["metadata"]["uid"] == "new"


async def test_what_the_watch_passed_without_a_word_is_dropped() -> None:
    cache = lagging(5)
    cache.remember(pod("a", 7))
    cache._reflector.resource_version = "20"
    cache.settle()
    assert not cache.objects


async def test_a_deleted_object_is_doomed_until_the_watch_tells() -> None:
    cache = lagging(5)
    cache._told("shop/a", None, pod("a", 5))
    cache.forget(cache.objects["shop/a"])
    assert cache.is_doomed(cache.objects["shop/a"])
    cache._told("shop/a", pod("a", 5), None)
    cache._told("shop/a", None, pod("a", 9, "new"))
    assert not cache.is_doomed(cache.objects["shop/a"])


async def test_indexes_follow_changes() -> None:
    cache = Cache(FakeCluster(), PODS)
    owned = pod("a", 1)
    owned["metadata"]["ownerReferences"] = [{"uid": "rs", "controller": True}]
    cache._told("shop/a", None, pod("a", 0))
    assert [p["metadata"]["name"] for p in cache.find("controller", "orphans/shop")] == ["a"]
    cache._told("shop/a", pod("a", 0), owned)
    assert cache.find("controller", "orphans/shop") == []
    assert len(cache.find("controller", "rs")) == 1 == len(cache.find("namespace", "shop"))
    await asyncio.sleep(0)
