"""The same questions to kube-apiserver and to us, over the same objects: the same answers, word for word."""

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
import yaml
from tests.apiserver.auth.conftest import KIND_OF, Server, binding, pod, role, rule, service_account
from tests.peers import ADMIN_TOKEN, kube_apiserver

from weft.apiserver.auth import Attributes, User
from weft.apiserver.registry.failures import status_object
from weft.cluster.errors import ApiError

pytestmark = pytest.mark.peer
RBAC = "rbac.authorization.k8s.io"
Json = dict[str, Any]


class Peer:
    def __init__(self, kubeconfig: Any) -> None:
        self.url = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
        self.tls = ssl.create_default_context()
        self.tls.check_hostname, self.tls.verify_mode = False, ssl.CERT_NONE

    def call(self, method: str, path: str, body: Json | None = None, **headers: str) -> Json:
        """The answer, Status or not, as JSON. `headers`: Impersonate_User for Impersonate-User."""
        given = {"Authorization": f"Bearer {ADMIN_TOKEN}", "Content-Type": "application/json"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data, given, method=method)
        try:
            with urllib.request.urlopen(request, context=self.tls, timeout=20) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as error:
            return dict(json.load(error))

    def create(self, obj: Json, **headers: str) -> Json:
        resource = KIND_OF[obj["kind"]].resource
        path = resource.path(obj["metadata"].get("namespace", ""))
        return self.call("POST", path, {"apiVersion": resource.api_version, **obj}, **headers)


OBJECTS = [
    role("reader", rule("get list", "pods pods/log"), rule("get", urls="/metrics /logs/*")),
    role("named", rule("get update", "configmaps", names="a b"), rule("get", "*/scale", ("*",))),
    role("maker", rule("create update escalate", "roles", (RBAC,), names="x"), rule("create", "rolebindings", (RBAC,))),
    {
        # The rules are written here because no controller of the peer runs; ours are computed.
        **role("gather", rule("list", "secrets")),
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"into": "gather"}}]},
    },
    role("gathered", rule("list", "secrets"), labels={"into": "gather"}),
    role("here", rule("*", "deployments", ("apps",)), namespace="default"),
    binding("b1", "reader", "User:bob", "Group:devs"),
    binding("b2", "named", "User:bob", namespace="default"),
    binding("b3", "here", "User:bob", namespace="default", role_kind="Role"),
    binding("b4", "gather", "User:eve"),
    binding("b5", "missing", "User:eve"),
    binding("b6", "missing", "User:eve", namespace="default", role_kind="Role"),
    role(
        "actor",
        rule("impersonate:user-info", "users", ("authentication.k8s.io",), names="allowed"),
        rule("impersonate-on:user-info:list", "pods"),
    ),
    binding("b9", "actor", "ServiceAccount:default/default"),
    binding("b7", "maker", "User:mak", namespace="default"),
]


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with kube_apiserver("--disable-admission-plugins=ServiceAccount") as path:
        made = Peer(path)
        for obj in [*OBJECTS, service_account("default", "default", "")]:
            obj["metadata"].pop("uid", None)
            made.create(obj)
        yield made


@pytest.fixture
def both(peer: Peer, server: Server) -> tuple[Peer, Server]:
    for kind in ("ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding", "ServiceAccount", "Pod"):
        listed = peer.call("GET", KIND_OF[kind].resource.path())
        server.put(*({**item, "kind": kind} for item in listed["items"]))
    return peer, server


def _review(peer: Peer, kind: str, spec: Json, **more: Any) -> Json:
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec, **more}
    return peer.call("POST", f"/apis/authorization.k8s.io/v1/{kind.lower()}s", body)


def test_decisions(both: tuple[Peer, Server]) -> None:
    peer, server = both
    users = [
        {"user": "bob"}, {"user": "eve"}, {"user": "x", "groups": ["devs"]}, {"user": "mak"},
        {"user": "system:kube-scheduler"}, {"user": "system:node:n1", "groups": ["system:nodes"]},
    ]  # fmt: skip
    resources = [
        {"verb": verb, "group": group, "resource": resource, "subresource": sub, "namespace": namespace, "name": name}
        for (verb, group, resource, sub), namespace, name in product(
            [
                ("get", "", "pods", ""), ("list", "", "pods", ""), ("get", "", "pods", "log"),
                ("update", "", "configmaps", ""), ("get", "apps", "deployments", "scale"),
                ("delete", "apps", "deployments", ""), ("list", "", "secrets", ""), ("get", "", "nodes", ""),
                ("update", "coordination.k8s.io", "leases", ""),
            ],
            ["", "default"],
            ["", "a", "n1"],
        )
    ]  # fmt: skip
    paths = [{"verb": "get", "path": path} for path in ("/metrics", "/logs/x", "/logs", "/api", "/healthz")]
    asked = [{"resourceAttributes": each} for each in resources] + [{"nonResourceAttributes": each} for each in paths]
    for user, what in product(users, asked):
        theirs = _review(peer, "SubjectAccessReview", {**what, **user})["status"]
        body = {"kind": "SubjectAccessReview", "spec": {**what, **user}}
        ours = server.control.review("subjectaccessreviews", User("admin"), body)["status"]
        # A kube-apiserver reports what it could not resolve as evaluationError too.
        theirs.pop("evaluationError", None)
        assert ours["allowed"] == theirs["allowed"], (user, what)
        if not ours["allowed"]:
            assert _sorted(ours.get("reason", "")) == _sorted(theirs.get("reason", "")), (user, what)


def _sorted(reason: str) -> list[str]:
    """kube-apiserver lists bindings in no particular order."""
    return sorted(reason.replace("[", "").replace("]", "").removeprefix("RBAC: ").split(", "))


@pytest.mark.parametrize(
    ("method", "path", "asked"),
    [
        ("GET", "/api/v1/namespaces/default/secrets", Attributes("list", "", "v1", "secrets", "", "default")),
        ("DELETE", "/api/v1/nodes/n1", Attributes("delete", "", "v1", "nodes", name="n1")),
        (
            "GET",
            "/apis/apps/v1/namespaces/kube-system/deployments/web/scale",
            Attributes("get", "apps", "v1", "deployments", "scale", "kube-system", "web"),
        ),
        ("GET", "/secret%3Cb%3E", Attributes("get", path="/secret<b>")),
    ],
)
def test_refusals(both: tuple[Peer, Server], method: str, path: str, asked: Attributes) -> None:
    peer, server = both
    theirs = peer.call(method, path, Impersonate_User="bob")
    assert _status(lambda: server.control.demand(_bob(), asked)) == theirs


def _bob(name: str = "bob") -> User:
    return User(name, groups=("system:authenticated",))


def _status(act: Callable[[], object]) -> Json:
    try:
        act()
    except ApiError as error:
        return {"details": {}, **status_object(error)}
    raise AssertionError("nothing was refused")


@pytest.mark.parametrize(
    ("user", "obj"),
    [
        ("mak", role("y", rule("get list", "pods secrets"), rule("get", "pods", names="a b"), namespace="default")),
        ("mak", binding("y", "reader", "User:x", namespace="default")),
        ("mak", binding("y", "nowhere", "User:x", namespace="default", role_kind="Role")),
        ("mak", binding("y", "nowhere", "User:x", namespace="default")),
    ],
)
def test_escalation(both: tuple[Peer, Server], user: str, obj: Json) -> None:
    peer, server = both
    if obj["kind"] == "Role":
        server.put(_may_create("roles", peer))
    theirs = peer.create(obj, Impersonate_User=user)
    assert _status(lambda: server.create(_bob(user), obj)) == theirs


def _may_create(plural: str, peer: Peer) -> Json:
    """mak may create roles, too, on both sides; but with a name that gives no right to escalate."""
    allowed = role("creator", rule("create", plural, (RBAC,)))
    for obj in (allowed, binding("b8", "creator", "User:mak", namespace="default")):
        peer.create(obj)
    return allowed


@pytest.mark.parametrize(
    ("kind", "spec", "metadata"),
    [
        ("SubjectAccessReview", {"user": "bob"}, {}),
        ("SubjectAccessReview", {"resourceAttributes": {"verb": "get", "resource": "pods"}}, {}),
        (
            "SubjectAccessReview",
            {"user": "b", "resourceAttributes": {"resource": "pods", "fieldSelector": {}, "labelSelector": {}}},
            {},
        ),
        ("SelfSubjectAccessReview", {}, {}),
        ("SelfSubjectRulesReview", {}, {}),
    ],
)
def test_invalid_reviews(both: tuple[Peer, Server], kind: str, spec: Json, metadata: Json) -> None:
    peer, server = both
    theirs = _review(peer, kind, spec, metadata=metadata)
    body = {"kind": kind, "spec": spec, "metadata": metadata}
    assert _status(lambda: server.control.review(kind.lower() + "s", _bob("admin"), body)) == {"details": {}, **theirs}


def test_whoami_and_rules(both: tuple[Peer, Server]) -> None:
    peer, server = both
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    theirs = peer.call("POST", path, body, Impersonate_User="bob", Impersonate_Extra_Scope="a")
    user = server.control.impersonate(
        User("root", groups=("system:masters",)), [("Impersonate-User", "bob"), ("Impersonate-Extra-Scope", "a")]
    )
    ours = server.control.review("selfsubjectreviews", user, {})
    theirs["metadata"] = ours["metadata"]
    assert ours == theirs
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": "default"}}
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    listed = peer.call("POST", path, body, Impersonate_User="bob")
    given = server.control.review("selfsubjectrulesreviews", _bob(), body)
    for part in ("resourceRules", "nonResourceRules"):
        assert _rules(given["status"].pop(part)) == _rules(listed["status"].pop(part))
    assert given == listed


def _rules(rules: list[Json]) -> list[str]:
    return sorted({json.dumps({key: sorted(value) for key, value in each.items()}, sort_keys=True) for each in rules})


@pytest.mark.parametrize(
    "headers",
    [
        {"Impersonate_User": "root"},
        {"Impersonate_User": "system:serviceaccount:ns:x"},
        {"Impersonate_User": "system:node:n1"},
        {"Impersonate_User": "system:node:N_1"},
        {"Impersonate_User": "eve", "Impersonate_Group": "system:masters"},
        {"Impersonate_User": "eve", "Impersonate_Extra_Scope": "x"},
        {"Impersonate_User": "eve", "Impersonate_Extra_A.io%2fScope": "x"},
        {"Impersonate_User": "eve", "Impersonate_Uid": "x"},
        {"Impersonate_User": "allowed", "Impersonate_Uid": "x"},
        {"Impersonate_User": "allowed", "Impersonate_Group": "system:masters"},
        {"Impersonate_User": "allowed", "Impersonate_Extra_Scope": "x"},
        {"Impersonate_User": "system:serviceaccount:ns:x", "Impersonate_Group": "g"},
        {"Impersonate_Group": "g", "Impersonate_Uid": "u"},
        {"Impersonate_Extra_Scope": "x"},
    ],
)
def test_impersonation_refused(both: tuple[Peer, Server], headers: dict[str, str]) -> None:
    """By the ServiceAccount default, who may be the user `allowed` and list pods so."""
    peer, server = both
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = peer.call("POST", "/api/v1/namespaces/default/serviceaccounts/default/token", request)["status"]["token"]
    theirs = peer.call("GET", "/api/v1/pods", Authorization=f"Bearer {token}", **headers)
    user = User("system:serviceaccount:default:default", groups=("system:serviceaccounts", "system:authenticated"))
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    asked = Attributes("list", "", "v1", "pods")
    assert _status(lambda: server.control.impersonate(user, pairs, asked)) == {"details": {}, **theirs}


@pytest.mark.parametrize(
    "body",
    [
        {"spec": {"expirationSeconds": 599}},
        {"spec": {"expirationSeconds": 1 << 33}},
        {"metadata": {"name": "other"}},
        {"metadata": {"uid": "other"}},
        {"spec": {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "gone"}}},
        {"spec": {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "web", "uid": "p0"}}},
        {"spec": {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "alien"}}},
        {"spec": {"boundObjectRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"}}},
        {"spec": {"boundObjectRef": {"apiVersion": "v1", "kind": "ConfigMap", "name": "x"}}},
    ],
)
def test_token_requests_refused(both: tuple[Peer, Server], body: Json) -> None:
    peer, server = both
    for name, account in (("web", "default"), ("alien", "other")):
        made = pod(name, node="", serviceAccountName=account, containers=[{"name": "c", "image": "i"}])
        del made["metadata"]["uid"]
        created = peer.create(made)
        if created["kind"] == "Status":
            created = peer.call("GET", f"/api/v1/namespaces/default/pods/{name}")
        server.put({**created, "kind": "Pod"})
    given = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", **body}
    theirs = peer.call("POST", "/api/v1/namespaces/default/serviceaccounts/default/token", given)

    def ask() -> object:
        return server.control.request_token(_bob("admin"), "default", "default", given, server.reader)  # type: ignore[arg-type]

    assert _status(ask) == {"details": {}, **theirs}


def test_token_and_review_have_the_same_shape(both: tuple[Peer, Server]) -> None:
    peer, server = both
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    theirs = peer.call("POST", "/api/v1/namespaces/default/serviceaccounts/default/token", request)
    ours = server.control.request_token(_bob("admin"), "default", "default", request, server.reader)  # type: ignore[arg-type]
    assert _shape(ours) == _shape(theirs)
    path = "/apis/authentication.k8s.io/v1/tokenreviews"
    for mine, token in ((ours["status"]["token"], theirs["status"]["token"]), ("rubbish", "rubbish")):
        asked: Json = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
        answer = peer.call("POST", path, asked)
        given = server.control.review("tokenreviews", _bob("admin"), {**asked, "spec": {"token": mine}})
        assert _shape(given) == _shape(answer)
        assert given["status"].get("error") == answer["status"].get("error")


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shape(inner) for key, inner in value.items() if key != "managedFields"}
    return [_shape(inner) for inner in value] if isinstance(value, list) else type(value).__name__
