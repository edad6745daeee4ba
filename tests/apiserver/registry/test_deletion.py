"""What a DELETE does: grace, finalizers, preconditions, namespaces."""

from typing import Any

import pytest
from tests.apiserver.server import MAPS, PODS, Server, config_map, pod

from weft.apiserver.registry.deletion import DeleteOptions, decide

OPTIONS = {"kind": "DeleteOptions", "apiVersion": "v1"}


def stored(**meta: Any) -> dict[str, Any]:
    return {"metadata": {"name": "x", **meta}, "spec": {"nodeName": "n", "terminationGracePeriodSeconds": 30}}


def test_a_scheduled_pod_waits_for_its_kubelet() -> None:
    outcome = decide(stored(generation=1), DeleteOptions(), True, 1000.0)
    assert outcome.action == "mark"
    assert outcome.obj["metadata"] == {
        "name": "x", "generation": 2, "deletionGracePeriodSeconds": 30, "deletionTimestamp": "1970-01-01T00:17:10Z",
    }  # fmt: skip
    assert decide(outcome.obj, DeleteOptions(), True, 1001.0).action == "nothing"
    assert decide(outcome.obj, DeleteOptions(grace=60), True, 1001.0).action == "nothing"
    shorter = decide(outcome.obj, DeleteOptions(grace=5), True, 1001.0)
    assert shorter.action == "mark" and shorter.obj["metadata"]["deletionTimestamp"] == "1970-01-01T00:16:45Z"
    assert decide(shorter.obj, DeleteOptions(grace=0), True, 1002.0).action == "remove"


def test_what_never_ran_or_has_ended_goes_at_once() -> None:
    waiting = stored()
    waiting["spec"].pop("nodeName")
    assert decide(waiting, DeleteOptions(), True, 0).action == "remove"
    assert decide({**stored(), "status": {"phase": "Succeeded"}}, DeleteOptions(), True, 0).action == "remove"
    assert decide(stored(), DeleteOptions(), False, 0).action == "remove"


def test_finalizers_hold_an_object() -> None:
    outcome = decide(stored(finalizers=["a/b"]), DeleteOptions(), False, 0)
    assert outcome.action == "mark" and outcome.obj["metadata"]["deletionGracePeriodSeconds"] == 0
    assert decide(outcome.obj, DeleteOptions(), False, 9).action == "nothing"
    foreground = decide(stored(), DeleteOptions(policy="Foreground"), False, 0)
    assert foreground.action == "mark" and foreground.obj["metadata"]["finalizers"] == ["foregroundDeletion"]
    orphan = decide(foreground.obj, DeleteOptions(policy="Orphan"), False, 0)
    assert orphan.obj["metadata"]["finalizers"] == ["orphan"]
    assert decide(stored(), DeleteOptions(orphan_dependents=True), False, 0).action == "mark"
    unscheduled = stored(finalizers=["a/b"])
    unscheduled["spec"].pop("nodeName")
    assert decide(unscheduled, DeleteOptions(), True, 0).action == "mark"


async def test_the_kubelet_confirms(server: Server) -> None:
    made = await server.made(PODS, pod("p", "node1"))
    begun = await server.call("DELETE", f"{PODS}/p")
    assert begun.code == 200 and begun.json["metadata"]["deletionGracePeriodSeconds"] == 30
    body = {**OPTIONS, "gracePeriodSeconds": 0, "preconditions": {"uid": made["metadata"]["uid"]}}
    assert (await server.call("DELETE", f"{PODS}/p", body)).code == 200
    assert (await server.get(f"{PODS}/p")).code == 404


async def test_preconditions(server: Server) -> None:
    made = await server.made(MAPS, config_map("a"))
    wrong = await server.call("DELETE", f"{MAPS}/a", {**OPTIONS, "preconditions": {"uid": "other"}})
    assert wrong.code == 409 and wrong.json["message"] == (
        'Operation cannot be fulfilled on ConfigMap "a": the UID in the precondition (other) does not match the UID in '
        f"record ({made['metadata']['uid']}). The object might have been deleted and then recreated"
    )
    stale = {**OPTIONS, "preconditions": {"resourceVersion": "1"}}
    assert (await server.call("DELETE", f"{MAPS}/a", stale)).code == 409


async def test_the_last_finalizer_lets_go(server: Server) -> None:
    await server.made(MAPS, config_map("a", metadata={"finalizers": ["example.com/x"]}))
    marked = await server.call("DELETE", f"{MAPS}/a")
    assert marked.code == 200 and marked.json["metadata"]["deletionTimestamp"]
    added = await server.patch(f"{MAPS}/a", {"metadata": {"finalizers": ["example.com/x", "example.com/y"]}})
    assert added.code == 422 and "no new finalizers can be added" in added.json["message"]
    assert (await server.patch(f"{MAPS}/a", {"metadata": {"finalizers": None}})).code == 200
    assert (await server.get(f"{MAPS}/a")).code == 404


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"propagationPolicy": "Sideways"}, 422),
        ({"propagationPolicy": "Orphan", "orphanDependents": True}, 422),
        ({"dryRun": ["Some"]}, 422),
        ([], 400),
        ({"preconditions": 7}, 400),
    ],
)
async def test_bad_delete_options(server: Server, body: Any, code: int) -> None:
    await server.made(MAPS, config_map("a"))
    reply = await server.call("DELETE", f"{MAPS}/a", {**OPTIONS, **body} if isinstance(body, dict) else body)
    assert reply.code == code, reply.body


async def test_a_collection(server: Server) -> None:
    for name, app in (("a", "x"), ("b", "x"), ("c", "y")):
        await server.made(MAPS, config_map(name, metadata={"labels": {"app": app}}))
    reply = await server.call("DELETE", f"{MAPS}?labelSelector=app%3Dx")
    assert reply.code == 200 and [item["metadata"]["name"] for item in reply.json["items"]] == ["a", "b"]
    left = (await server.get(MAPS)).json["items"]
    assert [item["metadata"]["name"] for item in left] == ["c"]


async def test_a_namespace_ends_when_it_is_finalized(server: Server) -> None:
    space = "/api/v1/namespaces/n1"
    await server.made("/api/v1/namespaces", {"metadata": {"name": "n1"}})
    ending = await server.call("DELETE", space)
    assert ending.json["status"]["phase"] == "Terminating"
    refused = await server.post(f"{space}/configmaps", config_map("a"))
    assert refused.code == 403 and refused.json["message"] == (
        'configmaps "a" is forbidden: unable to create new content in namespace n1 because it is being terminated'
    )
    assert refused.json["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    finalized = {**ending.json, "spec": {"finalizers": []}}
    assert (await server.call("PUT", f"{space}/finalize", finalized)).code == 200
    assert (await server.get(space)).code == 404
    missing = await server.post(f"{space}/configmaps", config_map("a"))
    assert missing.code == 404 and missing.json["message"] == 'namespaces "n1" not found'
    default = await server.call("DELETE", "/api/v1/namespaces/default")
    assert default.code == 403 and "this namespace may not be deleted" in default.json["message"]
