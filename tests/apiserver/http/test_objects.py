"""The verbs over HTTP: codes, Status texts, concurrency, dry run, field validation."""

import gzip
import json

import pytest
from tests.apiserver.server import MAPS, PODS, Server, config_map, pod


async def test_an_object_lives_from_create_to_delete(server: Server) -> None:
    made = await server.made(MAPS, config_map("a", data={"x": "1"}))
    meta = made["metadata"]
    assert meta["namespace"] == "default" and meta["uid"] and meta["creationTimestamp"]
    read = (await server.get(f"{MAPS}/a")).json
    assert read == made
    changed = await server.call("PUT", f"{MAPS}/a", {**made, "data": {"x": "2"}})
    assert changed.code == 200 and int(changed.json["metadata"]["resourceVersion"]) > int(meta["resourceVersion"])
    gone = await server.call("DELETE", f"{MAPS}/a")
    assert gone.json["status"] == "Success" and gone.json["details"] == {
        "name": "a", "kind": "configmaps", "uid": meta["uid"],
    }  # fmt: skip
    assert (await server.get(f"{MAPS}/a")).code == 404


async def test_statuses_are_worded_as_upstream_words_them(server: Server) -> None:
    missing = (await server.get(f"{MAPS}/nope")).json
    assert missing == {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": 'configmaps "nope" not found', "reason": "NotFound",
        "details": {"name": "nope", "kind": "configmaps"}, "code": 404,
    }  # fmt: skip
    await server.made(MAPS, config_map("a"))
    twice = (await server.post(MAPS, config_map("a"))).json
    assert (twice["code"], twice["reason"], twice["message"]) == (
        409, "AlreadyExists", 'configmaps "a" already exists',
    )  # fmt: skip
    deployments = (await server.get("/apis/apps/v1/namespaces/default/deployments/x")).json
    assert deployments["message"] == 'deployments.apps "x" not found'
    assert deployments["details"] == {"name": "x", "group": "apps", "kind": "deployments"}
    unknown = (await server.get("/api/v1/foos")).json
    assert unknown["message"] == "the server could not find the requested resource" and unknown["code"] == 404


async def test_an_update_of_an_old_version_conflicts(server: Server) -> None:
    made = await server.made(MAPS, config_map("a", data={"n": "1"}))
    assert (await server.patch(f"{MAPS}/a", {"data": {"n": "2"}})).code == 200
    late = await server.call("PUT", f"{MAPS}/a", made)
    assert late.code == 409 and late.json["message"] == (
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to '
        "the latest version and try again"
    )
    stale = await server.patch(f"{MAPS}/a", {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}})
    assert stale.code == 409


async def test_an_update_that_changes_nothing_writes_nothing(server: Server) -> None:
    made = await server.made(MAPS, config_map("a", data={"n": "1"}))
    again = await server.patch(f"{MAPS}/a", {"data": {"n": "1"}})
    assert again.json["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


async def test_update_does_not_create(server: Server) -> None:
    assert (await server.call("PUT", f"{MAPS}/new", config_map("new"))).code == 404


async def test_names_are_generated(server: Server) -> None:
    made = await server.made(MAPS, {"metadata": {"generateName": "web-"}})
    assert made["metadata"]["name"].startswith("web-") and len(made["metadata"]["name"]) == 9
    nameless = await server.post(MAPS, {"metadata": {}})
    assert nameless.code == 422
    assert nameless.json["details"]["causes"][0]["message"] == "Required value: name or generateName is required"


async def test_a_bad_name_is_refused_with_its_field(server: Server) -> None:
    reply = await server.post(MAPS, config_map("Bad_Name"))
    assert reply.code == 422 and reply.json["reason"] == "Invalid"
    assert reply.json["message"].startswith('ConfigMap "Bad_Name" is invalid: metadata.name: Invalid value: "Bad_Name"')
    assert reply.json["details"]["causes"][0]["field"] == "metadata.name"


async def test_path_and_body_must_agree(server: Server) -> None:
    other = await server.post(MAPS, config_map("a", metadata={"namespace": "kube-system"}))
    assert other.code == 400
    assert "does not match the namespace sent on the request" in other.json["message"]
    await server.made(MAPS, config_map("a"))
    name = await server.call("PUT", f"{MAPS}/a", config_map("b"))
    assert name.json["message"] == "the name of the object (b) does not match the name on the URL (a)"
    kind = await server.post(MAPS, pod("p"))
    assert kind.code == 400 and "cannot be handled as a ConfigMap" in kind.json["message"]
    version = await server.post(MAPS, {"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "c"}})
    assert version.json["message"] == (
        "the API version in the data (apps/v1) does not match the expected API version (v1)"
    )


async def test_a_dry_run_stores_nothing(server: Server) -> None:
    dry = await server.post(f"{MAPS}?dryRun=All", config_map("a"))
    assert dry.code == 201 and dry.json["metadata"]["uid"]
    assert (await server.get(f"{MAPS}/a")).code == 404
    made = await server.made(MAPS, config_map("a"))
    assert (await server.patch(f"{MAPS}/a?dryRun=All", {"data": {"x": "1"}})).json["data"] == {"x": "1"}
    assert (await server.call("DELETE", f"{MAPS}/a?dryRun=All")).code == 200
    assert (await server.get(f"{MAPS}/a")).json == made


async def test_unknown_fields_by_field_validation(server: Server) -> None:
    strange = config_map("a", strange=1)
    strict = await server.post(f"{MAPS}?fieldValidation=Strict", strange)
    assert strict.code == 400 and strict.json["message"] == (
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "strange"'
    )
    warned = await server.post(f"{MAPS}?fieldValidation=Warn", strange)
    assert warned.code == 201 and warned.headers["Warning"] == '299 - "unknown field \\"strange\\""'
    assert "strange" not in warned.json
    ignored = await server.post(f"{MAPS}?fieldValidation=Ignore", config_map("b", strange=1))
    assert ignored.code == 201 and "Warning" not in ignored.headers
    twice = b'{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"c"},"data":{"a":"1","a":"2"}}'
    double = await server.call("POST", f"{MAPS}?fieldValidation=Strict", twice, Content_Type="application/json")
    assert 'duplicate field "data.a"' in double.json["message"]


@pytest.mark.parametrize(
    ("body", "content_type", "code", "reason"),
    [
        (b"{", "application/json", 400, "BadRequest"),
        (b"[]", "application/json", 400, "BadRequest"),
        (b"{}", "text/plain", 415, "UnsupportedMediaType"),
        (b"\xff\xfe", "application/json", 400, "BadRequest"),
        (b'{"metadata":7}', "application/json", 400, "BadRequest"),
        (b'{"metadata":{"name":7}}', "application/json", 400, "BadRequest"),
        (b'{"metadata":{"name":"x","labels":[]}}', "application/json", 400, "BadRequest"),
        (b"k8s\x00garbage", "application/vnd.kubernetes.protobuf", 400, "BadRequest"),
        (b"a: [", "application/yaml", 400, "BadRequest"),
        (b"[" * 100_000, "application/json", 400, "BadRequest"),
        (b"x" * (3 * 1024 * 1024 + 1), "application/json", 413, "RequestEntityTooLarge"),
    ],
)
async def test_bad_bodies(server: Server, body: bytes, content_type: str, code: int, reason: str) -> None:
    reply = await server.call("POST", MAPS, body, Content_Type=content_type)
    assert (reply.code, reply.json["reason"]) == (code, reason), reply.body


async def test_yaml_bodies_are_taken_as_json_has_them(server: Server) -> None:
    text = b"kind: ConfigMap\napiVersion: v1\nmetadata: {name: y}\ndata: {day: '2026-01-01'}\n"
    reply = await server.call("POST", MAPS, text, Content_Type="application/yaml")
    assert reply.code == 201 and reply.json["data"] == {"day": "2026-01-01"}
    shown = await server.get(f"{MAPS}/y", Accept="application/yaml")
    assert shown.headers["Content-Type"] == "application/yaml" and b"day: '2026-01-01'" in shown.body


async def test_accept_is_negotiated(server: Server) -> None:
    await server.made(MAPS, config_map("a", data={"x": "1"}))
    refused = await server.get(MAPS, Accept="application/xml")
    assert refused.code == 406 and refused.json["reason"] == "NotAcceptable"
    partial = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    listed = (await server.get(MAPS, Accept=partial)).json
    assert listed["kind"] == "PartialObjectMetadataList"
    assert [set(item) for item in listed["items"]] == [{"kind", "apiVersion", "metadata"}]
    several = await server.get(MAPS, Accept="application/vnd.kubernetes.protobuf,application/json;q=0.5")
    assert several.code == 200


async def test_large_replies_are_compressed(server: Server) -> None:
    await server.made(MAPS, config_map("big", data={"x": "y" * 200_000}))
    async with server.session.get(
        server.url + MAPS, headers={"Accept-Encoding": "gzip"}, auto_decompress=False
    ) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert len(json.loads(gzip.decompress(await answer.read()))["items"]) == 1


async def test_methods_that_a_resource_does_not_have(server: Server) -> None:
    reply = await server.call("PUT", MAPS, config_map("a"))
    assert reply.code == 405 and reply.json["reason"] == "MethodNotAllowed"
    across = await server.post("/api/v1/configmaps", config_map("a"))
    assert across.code == 405


async def test_refused_users_are_told_what_they_may_not(server: Server) -> None:
    reply = await server.get(f"{PODS}/x", Impersonate_User="bob")
    assert reply.code == 403 and reply.json["message"] == (
        'pods "x" is forbidden: User "bob" cannot get resource "pods" in API group "" in the namespace "default"'
    )
    wrong = await server.get(PODS, Authorization="Bearer nonsense")
    assert (wrong.code, wrong.json["message"], wrong.json["reason"]) == (401, "Unauthorized", "Unauthorized")


async def test_server_side_apply_is_refused_clearly(server: Server) -> None:
    reply = await server.call("PATCH", f"{MAPS}/a?fieldManager=x", b"{}", Content_Type="application/apply-patch+yaml")
    assert reply.code == 415 and "application/merge-patch+json" in reply.json["message"]


async def test_what_clients_make_up_makes_no_metrics(server: Server) -> None:
    await server.get("/api/v1/madeup")
    await server.call("BREW", PODS)
    await server.get(PODS)
    text = (await server.get("/metrics")).body.decode()
    assert 'apiserver_request_total{code="200",resource="pods",verb="list"} 1.0' in text
    assert "madeup" not in text and "brew" not in text
