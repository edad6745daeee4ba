"""Whatever is asked, the answer is an object or a Status with a reason: never a failure of the server itself."""

import asyncio
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.apiserver.server import Server, config_map, pod, serving

from weft.apiserver.storage.store import Store

words = st.sampled_from(
    ["", "api", "apis", "v1", "apps", "namespaces", "default", "pods", "configmaps", "deployments", "services", "nodes",
     "p", "a", "status", "scale", "log", "exec", "proxy", "binding", "eviction", "finalize", "token", "watch", "events",
     "ephemeralcontainers", "serviceaccounts", "..", "%2e%2e", "é", "a b", "x" * 300, "events.k8s.io", "openapi", "v3"]
)  # fmt: skip
known_paths = st.sampled_from(
    ["/api/v1/namespaces/default/pods/p", "/api/v1/namespaces/default/configmaps", "/api/v1/namespaces/default/pods",
     "/apis/apps/v1/namespaces/default/deployments", "/api/v1/namespaces/default/configmaps/a", "/api/v1/nodes",
     "/apis/apps/v1/namespaces/default/deployments/d/scale", "/api/v1/namespaces/default/pods/p/binding",
     "/api/v1/namespaces/default/pods/p/eviction", "/api/v1/namespaces/default/pods/p/ephemeralcontainers",
     "/api/v1/namespaces/default/pods/p/status", "/api/v1/namespaces/default/services", "/api/v1/namespaces/n",
     "/api/v1/namespaces/n/finalize", "/api/v1/namespaces/default/serviceaccounts/default/token",
     "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "/apis/authentication.k8s.io/v1/tokenreviews",
     "/apis/rbac.authorization.k8s.io/v1/clusterroles", "/apis/events.k8s.io/v1/namespaces/default/events"]
)  # fmt: skip
paths = known_paths | st.lists(words, max_size=8).map(lambda parts: "/" + "/".join(quote(part) for part in parts))
methods = st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
names = st.sampled_from(
    ["metadata", "name", "spec", "status", "labels", "kind", "apiVersion", "containers", "data", "template", "ports",
     "finalizers", "ownerReferences", "preconditions", "uid", "target", "deleteOptions", "replicas", "selector",
     "$patch", "op", "path", "value", "resourceVersion", "annotations", "subjects", "rules", "involvedObject",
     "resources", "x"]
)  # fmt: skip
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=5), max_leaves=12
)
bodies = st.binary(max_size=20) | values.map(lambda value: json.dumps(value).encode())
types = st.sampled_from(
    ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf", "application/json-patch+json",
     "application/merge-patch+json", "application/strategic-merge-patch+json", "application/apply-patch+yaml", "x/y",
     ""]
)  # fmt: skip
queries = st.dictionaries(
    st.sampled_from(
        ["labelSelector", "fieldSelector", "limit", "continue", "resourceVersion", "resourceVersionMatch", "dryRun",
         "fieldValidation", "gracePeriodSeconds", "propagationPolicy", "container", "tailLines", "pretty",
         "timeoutSeconds"]
    ),
    st.sampled_from(["", "a", "a=b", "a in (b,", "-1", "0", "1", "99999999999999999999", "All", "Strict", "Exact",
                     "true", "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJhIn0", "é", "metadata.name=a"]),
    max_size=3,
)  # fmt: skip


async def ask(server: Server, method: str, path: str, query: dict[str, str], body: bytes, content_type: str) -> Any:
    text = "&".join(f"{name}={quote(value)}" for name, value in query.items())
    if method in ("GET", "HEAD", "OPTIONS"):
        body = b""
    return await server.call(method, f"{path}?{text}", body or None, Content_Type=content_type)


async def test_no_request_breaks_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Store.reach, "__defaults__", (0.01,))
    async with serving() as server:
        await server.post("/api/v1/namespaces/default/configmaps", config_map("a", data={"x": "1"}))
        await server.post("/api/v1/namespaces/default/pods", pod("p"))
        loop = asyncio.get_running_loop()

        @settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
        @given(methods, paths, queries, bodies, types)
        def check(method: str, path: str, query: dict[str, str], body: bytes, content_type: str) -> None:
            asked = ask(server, method, path, query, body, content_type)
            reply = asyncio.run_coroutine_threadsafe(asked, loop).result(20)
            assert b"Internal error occurred" not in reply.body, (method, path, query, body, reply.body)

        await asyncio.to_thread(check)
        assert (await server.get("/readyz")).code == 200


CONTAINER = {"name": "c", "image": "i", "ports": [{"containerPort": 80, "name": "web"}], "env": [{"name": "A"}]}
SPEC = {"containers": [CONTAINER], "volumes": [{"name": "v", "emptyDir": {}}], "nodeSelector": {"a": "b"}}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": SPEC}
SELECTOR = {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "a", "operator": "Exists"}]}
RBAC = "/apis/rbac.authorization.k8s.io/v1"
HERE = "namespaces/default"
RULES = [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]
SLICE = {"addressType": "IPv4", "endpoints": [{"addresses": ["10.1.1.1"], "conditions": {}}], "ports": [{"port": 80}]}
VALID: list[tuple[str, dict[str, Any]]] = [
    (f"/api/v1/{HERE}/pods", {"spec": SPEC}),
    (f"/apis/apps/v1/{HERE}/deployments", {"spec": {"selector": SELECTOR, "template": TEMPLATE, "replicas": 1}}),
    (f"/apis/apps/v1/{HERE}/daemonsets", {"spec": {"selector": SELECTOR, "template": TEMPLATE}}),
    (f"/api/v1/{HERE}/services", {"spec": {"ports": [{"port": 80, "targetPort": "web"}], "type": "NodePort"}}),
    (f"/api/v1/{HERE}/endpoints", {"subsets": [{"addresses": [{"ip": "10.1.1.1"}], "ports": [{"port": 80}]}]}),
    (f"/apis/discovery.k8s.io/v1/{HERE}/endpointslices", SLICE),
    (f"{RBAC}/{HERE}/roles", {"rules": RULES}),
    (f"{RBAC}/clusterroles", {"rules": RULES, "aggregationRule": {"clusterRoleSelectors": [SELECTOR]}}),
    (f"/apis/coordination.k8s.io/v1/{HERE}/leases", {"spec": {"holderIdentity": "a", "leaseDurationSeconds": 5}}),
    ("/api/v1/nodes", {"spec": {"podCIDR": "10.0.0.0/24", "taints": [{"key": "a", "effect": "NoSchedule"}]}}),
    (f"/api/v1/{HERE}/secrets", {"stringData": {"a": "b"}, "type": "Opaque"}),
]


@st.composite
def mutated(draw: st.DrawFn, value: Any) -> Any:
    """The value, with something in it that does not belong there."""
    if isinstance(value, dict) and value and draw(st.integers(0, 4)):
        key = draw(st.sampled_from(sorted(value)))
        return {**value, key: draw(mutated(value[key]))}
    if isinstance(value, list) and value and draw(st.integers(0, 4)):
        return [draw(mutated(value[0])), *value[1:]]
    return draw(values)


async def test_no_object_breaks_the_server() -> None:
    async with serving() as server:
        loop = asyncio.get_running_loop()
        for number, (path, obj) in enumerate(VALID):
            await server.made(path, {"metadata": {"name": f"valid{number}", "labels": {"a": "b"}}, **obj})

        @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
        @given(
            st.data(), st.sampled_from(range(len(VALID))), st.sampled_from(["create", "merge", "strategic", "delete"])
        )
        def check(data: st.DataObject, number: int, verb: str) -> None:
            path, obj = VALID[number]
            body = data.draw(mutated({"metadata": {"name": "x", "labels": {"a": "b"}, "annotations": {}}, **obj}))
            if verb == "delete":
                options = {"gracePeriodSeconds": 1, "preconditions": {"uid": "x"}, "propagationPolicy": "Orphan"}
                asked = server.call("DELETE", f"{path}/none", data.draw(mutated({**options, "dryRun": ["All"]})))
            elif verb == "create":
                asked = server.post(f"{path}?dryRun=All", body)
            else:
                if isinstance(body, dict):
                    body.pop("metadata", None)
                kind = "merge" if verb == "merge" else "strategic-merge"
                asked = server.patch(f"{path}/valid{number}?dryRun=All", body, kind)
            reply = asyncio.run_coroutine_threadsafe(asked, loop).result(20)
            assert b"Internal error occurred" not in reply.body, (verb, path, body, reply.body)

        await asyncio.to_thread(check)
