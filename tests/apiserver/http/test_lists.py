"""list: selectors, pages, resourceVersion and its errors."""

import base64

import pytest
from tests.apiserver.server import MAPS, PODS, Server, config_map, pod

from weft.apiserver.storage import cache, tokens


def names(reply: object) -> list[str]:
    return [item["metadata"]["name"] for item in reply.json["items"]]  # type: ignore[attr-defined]


async def test_labels_and_fields_select(server: Server) -> None:
    for name, labels in (("a", {"app": "x"}), ("b", {"app": "y", "old": ""}), ("c", {})):
        await server.made(MAPS, config_map(name, metadata={"labels": labels}))
    assert names(await server.get(f"{MAPS}?labelSelector=app")) == ["a", "b"]
    assert names(await server.get(f"{MAPS}?labelSelector=app%20in%20(x,z)")) == ["a"]
    assert names(await server.get(f"{MAPS}?labelSelector=!old,app!%3Dx")) == ["c"]
    assert names(await server.get(f"{MAPS}?fieldSelector=metadata.name%3Db")) == ["b"]
    assert names(await server.get(f"{MAPS}?fieldSelector=metadata.name!%3Db")) == ["a", "c"]


async def test_pods_are_selected_by_node(server: Server) -> None:
    for name, node in (("p1", "node1"), ("p2", "node2"), ("p3", "")):
        await server.made(PODS, pod(name, node))
    assert names(await server.get("/api/v1/pods?fieldSelector=spec.nodeName%3Dnode1")) == ["p1"]
    assert names(await server.get("/api/v1/pods?fieldSelector=spec.nodeName%3D")) == ["p3"]


@pytest.mark.parametrize(
    ("query", "code", "text"),
    [
        ("labelSelector=a%3D%3D%3D", 400, "unable to parse requirement: found '=', expected: identifier"),
        ("labelSelector=-", 400, "unable to parse requirement: <nil>: Invalid value"),
        ("fieldSelector=spec.foo%3D1", 400, '"spec.foo" is not a known field selector'),
        ("fieldSelector=x", 400, "invalid selector: 'x'; can't understand 'x'"),
        ("resourceVersion=abc", 400, "invalid syntax"),
        ("limit=x", 400, "invalid syntax"),
        ("resourceVersionMatch=Exact", 422, "resourceVersionMatch is forbidden unless resourceVersion is provided"),
        ("resourceVersionMatch=Nope&resourceVersion=1", 422, 'Unsupported value: "Nope"'),
        ("sendInitialEvents=true", 422, "sendInitialEvents is forbidden for list"),
        ("continue=nonsense", 400, "continue key is not valid"),
    ],
)
async def test_bad_queries(server: Server, query: str, code: int, text: str) -> None:
    reply = await server.get(f"{MAPS}?{query}")
    assert reply.code == code and text in reply.json["message"], reply.body


async def test_pages_are_of_one_moment(server: Server) -> None:
    for number in range(7):
        await server.made(MAPS, config_map(f"m{number}"))
    first = await server.get(f"{MAPS}?limit=3")
    meta = first.json["metadata"]
    assert names(first) == ["m0", "m1", "m2"] and meta["remainingItemCount"] == 4
    await server.made(MAPS, config_map("m3a"))
    await server.call("DELETE", f"{MAPS}/m5")
    await server.patch(f"{MAPS}/m4", {"data": {"late": "1"}})
    second = await server.get(f"{MAPS}?limit=3&continue={meta['continue']}")
    assert names(second) == ["m3", "m4", "m5"] and "data" not in second.json["items"][1]
    assert second.json["metadata"]["resourceVersion"] == meta["resourceVersion"]
    third = await server.get(f"{MAPS}?limit=3&continue={second.json['metadata']['continue']}")
    assert names(third) == ["m6"] and "continue" not in third.json["metadata"]


async def test_an_expired_page_offers_an_inconsistent_one(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "RING", 4)
    for number in range(4):
        await server.made(MAPS, config_map(f"m{number}"))
    token = (await server.get(f"{MAPS}?limit=2")).json["metadata"]["continue"]
    for number in range(10):
        await server.patch(f"{MAPS}/m0", {"data": {"n": str(number)}})
    expired = await server.get(f"{MAPS}?limit=2&continue={token}")
    assert expired.code == 410 and expired.json["reason"] == "Expired"
    fresh = expired.json["metadata"]["continue"]
    assert tokens.parse(fresh) == (-1, "default/m2")
    assert names(await server.get(f"{MAPS}?limit=2&continue={fresh}")) == ["m2", "m3"]


async def test_resource_versions(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await server.made(MAPS, config_map("a"))
    version = int(made["metadata"]["resourceVersion"])
    await server.made(MAPS, config_map("b"))
    assert names(await server.get(f"{MAPS}?resourceVersion=0")) == ["a", "b"]
    assert names(await server.get(f"{MAPS}?resourceVersion={version}&resourceVersionMatch=NotOlderThan")) == ["a", "b"]
    assert names(await server.get(f"{MAPS}?resourceVersion={version}&resourceVersionMatch=Exact")) == ["a"]
    monkeypatch.setattr("weft.apiserver.storage.store.Store.reach.__defaults__", (0.05,))
    future = await server.get(f"{MAPS}?resourceVersion={version + 100}")
    assert future.code == 504 and future.json["reason"] == "Timeout"
    assert future.json["message"] == f"Too large resource version: {version + 100}, current: {version + 1}"
    assert future.json["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


async def test_two_kinds_over_one_storage(server: Server) -> None:
    event = {
        "metadata": {"name": "e"}, "regarding": {"kind": "Pod", "name": "p", "namespace": "default"},
        "reason": "Tested", "type": "Normal", "note": "told", "action": "x", "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "t", "reportingInstance": "t-1",
    }  # fmt: skip
    await server.made("/apis/events.k8s.io/v1/namespaces/default/events", event)
    core = (await server.get("/api/v1/namespaces/default/events/e")).json
    assert core["apiVersion"] == "v1" and core["message"] == "told" and core["involvedObject"]["name"] == "p"
    listed = (await server.get("/apis/events.k8s.io/v1/events")).json
    assert listed["items"][0]["note"] == "told" and listed["items"][0]["apiVersion"] == "events.k8s.io/v1"


def test_tokens_are_read_back() -> None:
    assert tokens.parse(tokens.make(7, "default/a")) == (7, "default/a")
    for bad in ("", "?", base64.urlsafe_b64encode(b'{"v":"x","rv":1,"start":"a"}').decode()):
        with pytest.raises(ValueError, match="continue key is not valid"):
            tokens.parse(bad)
