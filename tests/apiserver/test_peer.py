"""The same requests to kube-apiserver and to us: the same codes, the same Status word for word, the same objects."""

import json
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from tests.apiserver.server import MAPS, PODS, Server, serving
from tests.peers import ADMIN_TOKEN, kube_apiserver

pytestmark = pytest.mark.peer
Json = dict[str, Any]
NODES = "/api/v1/nodes"
SERVICES = "/api/v1/namespaces/default/services"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


@dataclass
class Peer:
    url: str
    tls: ssl.SSLContext

    def call(self, method: str, path: str, body: Any, content_type: str, accept: str) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}", "User-Agent": "test", "Accept": accept}
        if body is not None:
            headers["Content-Type"] = content_type
        request = urllib.request.Request(self.url + path, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, context=self.tls, timeout=20) as answer:
                return answer.status, parsed(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, parsed(error.read())


def parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode(errors="replace").strip()


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with kube_apiserver() as kubeconfig:
        url = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
        tls = ssl.create_default_context()
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        made = Peer(url, tls)
        account = json.dumps({"metadata": {"name": "default"}}).encode()
        for namespace in ("default",):
            path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
            made.call("POST", path, account, "application/json", "application/json")
        yield made


@pytest.fixture
async def ours() -> AsyncIterator[Server]:
    async with serving() as running:
        yield running


def m(name: str, **more: Any) -> Json:
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": name, **more.pop("metadata", {})}, **more}


def pod(name: str, **spec: Any) -> Json:
    spec = {"containers": [{"name": "c", "image": "i"}], "automountServiceAccountToken": False, **spec}
    return {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": name}, "spec": spec}


def deployment(name: str, **spec: Any) -> Json:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template, **spec}
    return {"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": name}, "spec": spec}


MERGE, JSON6902, STRATEGIC = (f"application/{each}-patch+json" for each in ("merge", "json", "strategic-merge"))
OPTIONS = {"kind": "DeleteOptions", "apiVersion": "v1"}
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"

Step = tuple[Any, ...]
STEPS: dict[str, list[Step]] = {
    "objects": [
        ("GET", f"{MAPS}/nope"),
        ("POST", MAPS, m("a", data={"x": "1"})),
        ("POST", MAPS, m("a")),
        ("POST", MAPS, m("A_b")),
        ("POST", MAPS, m("")),
        ("POST", MAPS, m("b", metadata={"namespace": "other"})),
        ("POST", MAPS, m("b", metadata={"labels": {"bad key!": "v"}})),
        ("POST", MAPS, m("b", metadata={"labels": {"k": "bad value!"}})),
        ("POST", MAPS, m("b", metadata={"annotations": {"bad key!": "v"}})),
        ("POST", MAPS, m("b", metadata={"finalizers": ["plain"]})),
        ("POST", MAPS, m("b", metadata={"ownerReferences": [{"kind": "x"}]})),
        ("POST", MAPS, m("b", metadata={"resourceVersion": "5"})),
        ("POST", "/api/v1/namespaces/missing/configmaps", m("a")),
        ("POST", MAPS, pod("p")),
        ("POST", MAPS, {"kind": "ConfigMap", "apiVersion": "apps/v1", "metadata": {"name": "x"}}),
        ("POST", MAPS, {"kind": "Unheard", "apiVersion": "v1", "metadata": {"name": "x"}}),
        ("POST", f"{MAPS}?fieldValidation=Strict", m("s", strange=1)),
        ("POST", f"{MAPS}?fieldValidation=Nope", m("s")),
        ("POST", f"{MAPS}?dryRun=Nope", m("s")),
        ("POST", f"{MAPS}?dryRun=All", m("dry")),
        ("PUT", f"{MAPS}/nope", m("nope")),
        ("PUT", f"{MAPS}/a", m("b")),
        ("PUT", f"{MAPS}/a", m("a", data={"x": "2"})),
        ("PUT", f"{MAPS}/a", m("a", metadata={"resourceVersion": "1"})),
        ("PUT", f"{MAPS}/a", m("a", metadata={"uid": "11111111-1111-1111-1111-111111111111"})),
        ("PUT", MAPS, m("a")),
        ("DELETE", f"{MAPS}/a"),
        ("DELETE", f"{MAPS}/a"),
    ],
    "bodies": [
        ("POST", MAPS, b"{"),
        ("POST", MAPS, b""),
        ("POST", MAPS, b"[]"),
        ("POST", MAPS, b"7"),
        ("POST", MAPS, b"x", "text/plain"),
        ("POST", MAPS, {"metadata": {"name": "x", "labels": []}}),
        ("POST", MAPS, {"metadata": 7}),
        ("POST", MAPS, {"metadata": {"name": 7}}),
        ("POST", MAPS, {"metadata": {"name": "x"}, "data": {"a": 1}}),
        ("POST", MAPS, b"a: [", "application/yaml"),
        ("POST", MAPS, b"metadata: {name: yaml}\ndata: {a: '1'}\n", "application/yaml"),
        ("PATCH", f"{MAPS}/yaml", b"{}", "application/json"),
        ("PATCH", f"{MAPS}/yaml", b"{", MERGE),
        ("PATCH", f"{MAPS}/yaml", b"[]", MERGE),
        ("PATCH", f"{MAPS}/yaml", {"data": 7}, MERGE),
        ("PATCH", f"{MAPS}/yaml", {"data": {"b": "2", "a": None}}, MERGE),
        ("PATCH", f"{MAPS}/yaml", {"metadata": {"name": "other"}}, MERGE),
        ("PATCH", f"{MAPS}/yaml?fieldValidation=Strict", {"strange": 1}, MERGE),
        ("PATCH", f"{MAPS}/yaml", [{"op": "remove", "path": "/data/zz"}], JSON6902),
        ("PATCH", f"{MAPS}/yaml", [{"op": "test", "path": "/data/b", "value": "9"}], JSON6902),
        ("PATCH", f"{MAPS}/yaml", [{"op": "jump", "path": "/data/b"}], JSON6902),
        ("PATCH", f"{MAPS}/yaml", {"op": "add"}, JSON6902),
        ("PATCH", f"{MAPS}/yaml", [{"op": "add", "path": "/data/n", "value": "1"}], JSON6902),
        ("PATCH", f"{MAPS}/nope", {}, MERGE),
        ("PATCH", f"{MAPS}/yaml", {"metadata": {"resourceVersion": "1"}}, MERGE),
    ],
    "queries": [
        ("GET", f"{MAPS}?labelSelector=a%3D%3D%3D"),
        ("GET", f"{MAPS}?labelSelector=-"),
        ("GET", f"{MAPS}?labelSelector=a%20b"),
        ("GET", f"{MAPS}?labelSelector=a%20in%201"),
        ("GET", f"{MAPS}?labelSelector=a%3Dbad!"),
        ("GET", f"{MAPS}?fieldSelector=spec.foo%3D1"),
        ("GET", f"{PODS}?fieldSelector=spec.foo%3D1"),
        ("GET", f"{MAPS}?fieldSelector=x"),
        ("GET", f"{MAPS}?fieldSelector=a%3D%5Cx"),
        ("GET", f"{MAPS}?resourceVersion=abc"),
        ("GET", f"{MAPS}/kube-root-ca.crt?resourceVersion=abc"),
        ("GET", f"{MAPS}?limit=x"),
        ("GET", f"{MAPS}?resourceVersionMatch=Exact"),
        ("GET", f"{MAPS}?resourceVersionMatch=Nope&resourceVersion=1"),
        ("GET", f"{MAPS}?resourceVersionMatch=Exact&resourceVersion=0"),
        ("GET", f"{MAPS}?sendInitialEvents=true"),
        ("GET", f"{MAPS}?watch=true&sendInitialEvents=true"),
        ("GET", f"{MAPS}?watch=true&resourceVersionMatch=Exact&resourceVersion=1"),
        ("GET", f"{MAPS}?continue=nonsense"),
        ("GET", MAPS, None, "", "application/json;as=Table;v=v9;g=meta.k8s.io"),
        ("GET", "/api/v1/foos"),
        ("GET", "/api/v1/namespaces/default/foos"),
        ("GET", "/apis/apps/v9/deployments"),
        ("GET", "/apis/unheard.io/v1/things"),
        ("GET", "/nope"),
        ("POST", "/api/v1/configmaps", m("a")),
        ("PUT", MAPS, m("a")),
        ("DELETE", "/api/v1/namespaces"),
        ("GET", f"{PODS}/p/unheard"),
        ("PATCH", MAPS, {}, MERGE),
    ],
    "deletion": [
        ("POST", PODS, pod("p", nodeName="n1")),
        ("DELETE", f"{PODS}/p", {**OPTIONS, "preconditions": {"uid": "11111111-1111-1111-1111-111111111111"}}),
        ("DELETE", f"{PODS}/p", {**OPTIONS, "propagationPolicy": "Sideways"}),
        ("DELETE", f"{PODS}/p", {**OPTIONS, "propagationPolicy": "Orphan", "orphanDependents": True}),
        ("DELETE", f"{PODS}/p", {**OPTIONS, "dryRun": ["Some"]}),
        ("DELETE", f"{PODS}/p", {**OPTIONS, "gracePeriodSeconds": 20}),
        ("DELETE", f"{PODS}/p", {**OPTIONS, "gracePeriodSeconds": 10}),
        ("DELETE", f"{PODS}/p", {**OPTIONS, "gracePeriodSeconds": 15}),
        ("DELETE", f"{PODS}/p", {**OPTIONS, "gracePeriodSeconds": 0}),
        ("GET", f"{PODS}/p"),
        ("POST", PODS, pod("q")),
        ("DELETE", f"{PODS}/q"),
        ("POST", MAPS, m("f", metadata={"finalizers": ["example.com/x"]})),
        ("DELETE", f"{MAPS}/f"),
        ("DELETE", f"{MAPS}/f"),
        ("PATCH", f"{MAPS}/f", {"metadata": {"finalizers": ["example.com/x", "example.com/y"]}}, MERGE),
        ("PATCH", f"{MAPS}/f", {"metadata": {"finalizers": None}}, MERGE),
        ("GET", f"{MAPS}/f"),
        ("POST", MAPS, m("g")),
        ("DELETE", f"{MAPS}/g", {**OPTIONS, "propagationPolicy": "Foreground"}),
        ("DELETE", "/api/v1/namespaces/default"),
        ("POST", "/api/v1/namespaces", {"metadata": {"name": "ending"}}),
        ("DELETE", "/api/v1/namespaces/ending"),
        ("DELETE", "/api/v1/namespaces/ending"),
        ("POST", "/api/v1/namespaces/ending/configmaps", m("x")),
    ],
    "subresources": [
        ("POST", PODS, pod("p")),
        ("POST", f"{PODS}/p/binding", {"metadata": {"name": "p"}, "target": {}}),
        ("POST", f"{PODS}/p/binding", {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n1"}}),
        ("POST", f"{PODS}/p/binding", {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n1"}}),
        ("POST", f"{PODS}/none/binding", {"metadata": {"name": "none"}, "target": {"kind": "Node", "name": "n1"}}),
        ("GET", f"{PODS}/p"),
        ("PATCH", f"{PODS}/p/status", {"status": {"phase": "Running"}, "spec": {"nodeName": "x"}}, MERGE),
        ("PATCH", f"{PODS}/p", {"spec": {"nodeName": "x"}}, MERGE),
        ("GET", f"{PODS}/p/log?container=zz"),
        ("GET", f"{PODS}/p/log?sinceSeconds=0"),
        ("GET", f"{PODS}/p/log?tailLines=-1"),
        ("GET", f"{PODS}/none/log"),
        ("POST", f"{PODS}/none/exec?command=ls"),
        ("POST", DEPLOYMENTS, deployment("d")),
        ("POST", DEPLOYMENTS, {**deployment("e"), "spec": {}}),
        ("GET", f"{DEPLOYMENTS}/d/scale"),
        ("PATCH", f"{DEPLOYMENTS}/d/scale", {"spec": {"replicas": 3}}, MERGE),
        ("PATCH", f"{DEPLOYMENTS}/d/scale", {"spec": {"replicas": -1}}, MERGE),
        ("PUT", f"{DEPLOYMENTS}/d/scale", {"metadata": {"name": "zz"}, "spec": {"replicas": 1}}),
        ("PATCH", f"{DEPLOYMENTS}/d/status", {"status": {"replicas": 1}, "metadata": {"labels": {"s": "1"}}}, MERGE),
        ("PATCH", f"{DEPLOYMENTS}/d", {"spec": {"template": {"spec": {"containers": [{"name": "d"}]}}}}, STRATEGIC),
        ("PATCH", f"{DEPLOYMENTS}/d", {"spec": {"template": {"spec": {"containers": [{"image": "x"}]}}}}, STRATEGIC),
        ("PATCH", f"{DEPLOYMENTS}/d", {"spec": {"$patch": "jump"}}, STRATEGIC),
        ("POST", f"{PODS}/p/eviction", {"metadata": {"name": "p"}}),
        ("GET", f"{PODS}/p"),
        ("GET", f"{MAPS}?labelSelector=none", None, "", TABLE),
    ],
}  # fmt: skip

_VARYING = {
    "resourceVersion",
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "managedFields",
    "lastTransitionTime",
    "time",
    "description",
}
_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


# Where we differ, knowing it: these texts are Go's own of an inner decoder, of internal structs, or of protobuf.
_WORDS = (
    "invalid continue token: continue key is not valid",
    "only the following media types are accepted: application/json, application/yaml",
    "Forbidden: pod updates may not change fields other than",
    ' "" is invalid: patch: Invalid value: ',
    'Invalid value: "{\\"apiVersion\\"',
)


def same(value: Any) -> Any:
    """Without what differs from server to server and from moment to moment."""
    if isinstance(value, dict):
        return {
            key: same(item)
            for key, item in value.items()
            if key not in _VARYING and not (key == "metadata" and item == {}) and item not in (None, {}, [])
        }
    if isinstance(value, list):
        items = [same(item) for item in value]
        return [item for place, item in enumerate(items) if item not in items[:place]]  # upstream tells some twice
    if isinstance(value, str):
        value = _UID.sub("UID", value)
        return next((value[: value.index(words)] + words for words in _WORDS if words in value), value)
    return value


@pytest.mark.parametrize("name", STEPS)
async def test_steps(peer: Peer, ours: Server, name: str) -> None:
    different: list[str] = []
    for step in STEPS[name]:
        method, path, body, content_type, accept = (
            *step,
            *(None, "application/json", "application/json")[len(step) - 2 :],
        )
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        theirs = peer.call(method, path, body, content_type, accept)
        reply = await ours.call(method, path, body, Content_Type=content_type, Accept=accept, User_Agent="test")
        mine = reply.code, parsed(reply.body)
        if (theirs[0], same(theirs[1])) != (mine[0], same(mine[1])):
            shown = json.dumps(step[2]) if len(step) > 2 and not isinstance(step[2], bytes) else str(step[2:])
            different.append(
                f"{method} {path} {shown[:200]}\n   theirs {theirs[0]} {json.dumps(same(theirs[1]))[:1200]}\n"
                f"   ours   {mine[0]} {json.dumps(same(mine[1]))[:1200]}"
            )
    assert not different, "\n" + "\n".join(different)
