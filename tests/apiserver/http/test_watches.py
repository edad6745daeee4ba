"""watch: what is told, from which moment on, in which form, and when it ends."""

import asyncio

import pytest
from tests.apiserver.server import MAPS, PODS, Server, config_map, pod

from weft.apiserver.http import watches
from weft.apiserver.storage import cache, watchers


def summary(event: dict[str, object]) -> tuple[object, object]:
    return event["type"], event["object"]["metadata"]["name"]  # type: ignore[index]


async def test_the_state_and_what_follows(server: Server) -> None:
    await server.made(MAPS, config_map("a"))
    async with server.watch(MAPS) as watch:
        assert summary(await watch.next()) == ("ADDED", "a")
        await server.made(MAPS, config_map("b"))
        assert summary(await watch.next()) == ("ADDED", "b")
        changed = (await server.patch(f"{MAPS}/b", {"data": {"x": "1"}})).json
        event = await watch.next()
        assert event["type"] == "MODIFIED" and event["object"] == changed
        await server.call("DELETE", f"{MAPS}/b")
        event = await watch.next()
        assert summary(event) == ("DELETED", "b")
        assert int(event["object"]["metadata"]["resourceVersion"]) > int(changed["metadata"]["resourceVersion"])


async def test_from_a_resource_version_on(server: Server) -> None:
    made = await server.made(MAPS, config_map("a"))
    await server.made(MAPS, config_map("b"))
    async with server.watch(f"{MAPS}?resourceVersion={made['metadata']['resourceVersion']}") as watch:
        assert summary(await watch.next()) == ("ADDED", "b")
        assert await watch.nothing()


async def test_a_forgotten_resource_version_has_expired(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "RING", 4)
    made = await server.made(MAPS, config_map("a"))
    for number in range(10):
        await server.patch(f"{MAPS}/a", {"data": {"n": str(number)}})
    async with server.watch(f"{MAPS}?resourceVersion={made['metadata']['resourceVersion']}") as watch:
        event = await watch.next()
    assert event["type"] == "ERROR" and event["object"]["code"] == 410 and event["object"]["reason"] == "Expired"


async def test_objects_come_and_go_by_their_labels(server: Server) -> None:
    async with server.watch(f"{MAPS}?labelSelector=app%3Dweb") as watch:
        await server.made(MAPS, config_map("a"))
        await server.patch(f"{MAPS}/a", {"metadata": {"labels": {"app": "web"}}})
        assert summary(await watch.next()) == ("ADDED", "a")
        await server.patch(f"{MAPS}/a", {"data": {"x": "1"}})
        assert summary(await watch.next()) == ("MODIFIED", "a")
        await server.patch(f"{MAPS}/a", {"metadata": {"labels": {"app": None}}})
        event = await watch.next()
        assert summary(event) == ("DELETED", "a") and event["object"]["metadata"]["labels"] == {"app": "web"}


async def test_a_kubelet_sees_the_pods_of_its_node(server: Server) -> None:
    async with server.watch("/api/v1/pods?fieldSelector=spec.nodeName%3Dn1") as watch:
        await server.made(PODS, pod("other", "n2"))
        await server.made(PODS, pod("mine"))
        assert await watch.nothing()
        binding = {"metadata": {"name": "mine"}, "target": {"kind": "Node", "name": "n1"}}
    async with server.watch("/api/v1/pods?fieldSelector=spec.nodeName%3Dn1") as watch:
        await server.made(f"{PODS}/mine/binding", binding)
        event = await watch.next()
        assert summary(event) == ("ADDED", "mine") and event["object"]["spec"]["nodeName"] == "n1"


async def test_one_object_by_its_name(server: Server) -> None:
    async with server.watch(f"{MAPS}?fieldSelector=metadata.name%3Db") as watch:
        await server.made(MAPS, config_map("a"))
        await server.made(MAPS, config_map("b"))
        assert summary(await watch.next()) == ("ADDED", "b")


async def test_a_list_by_watching(server: Server) -> None:
    await server.made(MAPS, config_map("a"))
    query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&resourceVersion=0"
    async with server.watch(f"{MAPS}?{query}") as watch:
        assert summary(await watch.next()) == ("ADDED", "a")
        mark = await watch.next()
        assert mark["type"] == "BOOKMARK"
        assert mark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert mark["object"]["metadata"]["resourceVersion"] == str(server.store.published)
    wrong = await server.get(f"{MAPS}?watch=true&sendInitialEvents=true")
    assert wrong.code == 422
    assert "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan" in wrong.json["message"]


async def test_bookmarks_tell_how_far_it_is(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watches, "BOOKMARK_EVERY", 0.1)
    async with server.watch(f"{PODS}?allowWatchBookmarks=true") as watch:
        made = await server.made(MAPS, config_map("elsewhere"))
        event = await watch.next()
        while event["object"]["metadata"]["resourceVersion"] != made["metadata"]["resourceVersion"]:
            assert event["type"] == "BOOKMARK" and event["object"]["kind"] == "Pod"
            event = await watch.next()


async def test_a_watch_ends_after_its_time(server: Server) -> None:
    async with server.watch(f"{PODS}?timeoutSeconds=1&allowWatchBookmarks=true") as watch:
        async with asyncio.timeout(5):
            lines = await watch.answer.content.read()
    assert b"BOOKMARK" in lines


async def test_a_reader_that_is_too_slow_is_dropped(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchers, "BACKLOG", 3)
    found = server.store.cache("configmaps")
    watcher = found.watch(watches.ListOptions(filter=cache.Filter()).filter, server.store.published)
    for number in range(5):
        await server.made(MAPS, config_map(f"m{number}"))
    assert watcher.dropped and not watcher.pending


async def test_a_watcher_that_hangs_up_is_forgotten(server: Server) -> None:
    found = server.store.cache("configmaps").watchers
    async with server.watch(MAPS):
        assert len(found) == 1
    for _ in range(100):
        if not len(found):
            break
        await asyncio.sleep(0.02)
    assert len(found) == 0
