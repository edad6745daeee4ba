"""status, scale, binding, eviction, ephemeral containers, tokens and reviews."""

from typing import Any

from tests.apiserver.server import PODS, Server, pod

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


def deployment(name: str, replicas: int = 1) -> dict[str, Any]:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"metadata": {"name": name}, "spec": spec}


async def test_status_and_the_rest_are_written_apart(server: Server) -> None:
    made = await server.made(DEPLOYMENTS, {**deployment("d"), "status": {"replicas": 9}})
    assert "replicas" not in made.get("status", {}) and made["metadata"]["generation"] == 1
    told = await server.patch(f"{DEPLOYMENTS}/d/status", {"spec": {"replicas": 7}, "status": {"replicas": 1}})
    assert told.json["status"]["replicas"] == 1 and told.json["spec"]["replicas"] == 1
    assert told.json["metadata"]["generation"] == 1
    wanted = await server.patch(f"{DEPLOYMENTS}/d", {"spec": {"replicas": 2}, "status": {"replicas": 9}})
    assert wanted.json["spec"]["replicas"] == 2 and wanted.json["status"]["replicas"] == 1
    assert wanted.json["metadata"]["generation"] == 2


async def test_scale(server: Server) -> None:
    await server.made(DEPLOYMENTS, deployment("d"))
    scale = (await server.get(f"{DEPLOYMENTS}/d/scale")).json
    assert scale["kind"] == "Scale" and scale["spec"] == {"replicas": 1} and scale["status"]["selector"] == "app=d"
    scale["spec"]["replicas"] = 3
    assert (await server.call("PUT", f"{DEPLOYMENTS}/d/scale", scale)).json["spec"]["replicas"] == 3
    assert (await server.call("PUT", f"{DEPLOYMENTS}/d/scale", scale)).code == 409
    assert (await server.patch(f"{DEPLOYMENTS}/d/scale", {"spec": {"replicas": 0}})).code == 200
    assert (await server.get(f"{DEPLOYMENTS}/d")).json["spec"]["replicas"] == 0
    negative = await server.patch(f"{DEPLOYMENTS}/d/scale", {"spec": {"replicas": -1}})
    assert negative.code == 422 and "must be greater than or equal to 0" in negative.json["message"]


async def test_a_pod_is_bound_once(server: Server) -> None:
    made = await server.made(PODS, pod("p"))
    binding = {"metadata": {"name": "p", "uid": made["metadata"]["uid"]}, "target": {"kind": "Node", "name": "n1"}}
    reply = await server.post(f"{PODS}/p/binding", binding)
    assert reply.code == 201 and reply.json["status"] == "Success"
    bound = (await server.get(f"{PODS}/p")).json
    assert bound["spec"]["nodeName"] == "n1"
    assert [each["type"] for each in bound["status"]["conditions"]] == ["PodScheduled"]
    again = await server.post(f"{PODS}/p/binding", binding)
    assert again.code == 409 and again.json["message"] == (
        'Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "n1"'
    )
    nobody = await server.post("/api/v1/namespaces/default/bindings", {"metadata": {"name": "p"}, "target": {}})
    assert nobody.code == 500 and nobody.json["message"] == "target.name: Required value"


async def test_eviction_deletes(server: Server) -> None:
    await server.made(PODS, pod("p", "n1"))
    eviction = {"metadata": {"name": "p"}, "deleteOptions": {"gracePeriodSeconds": 7}}
    assert (await server.post(f"{PODS}/p/eviction", eviction)).code == 201
    assert (await server.get(f"{PODS}/p")).json["metadata"]["deletionGracePeriodSeconds"] == 7


async def test_ephemeral_containers_are_only_added(server: Server) -> None:
    await server.made(PODS, pod("p", "n1"))
    debug = {"name": "d", "image": "busybox", "targetContainerName": "c"}
    path = f"{PODS}/p/ephemeralcontainers"
    added = await server.patch(path, {"spec": {"ephemeralContainers": [debug]}}, "strategic-merge")
    assert added.code == 200 and added.json["spec"]["ephemeralContainers"][0]["name"] == "d"
    gone = await server.patch(path, {"spec": {"ephemeralContainers": []}})
    assert gone.code == 422 and "may not be removed" in gone.json["message"]


async def test_a_token_proves_its_service_account(server: Server) -> None:
    account = "/api/v1/namespaces/default/serviceaccounts"
    await server.made(account, {"metadata": {"name": "robot"}})
    asked = await server.made(f"{account}/robot/token", {"spec": {"expirationSeconds": 3600}})
    token = asked["status"]["token"]
    review = {"kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1"}
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    answer = await server.post(path, review, Authorization=f"Bearer {token}")
    assert answer.code == 201
    assert answer.json["status"]["userInfo"]["username"] == "system:serviceaccount:default:robot"
