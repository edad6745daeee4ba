"""Access reviews, token reviews and token requests, with kube-apiserver's answers and messages."""

from typing import Any

import pytest
from tests.apiserver.auth.conftest import Server, binding, node_user, person, pod, role, rule, service_account

from weft.apiserver.auth import User
from weft.cluster.errors import ApiError, Conflict, Forbidden, Invalid, NotFound

BOB = person("bob")
ISSUER = "https://kubernetes.default.svc.cluster.local"
AUTHORIZATION = {"apiVersion": "authorization.k8s.io/v1"}


@pytest.fixture
def reading(server: Server) -> Server:
    server.put(role("reader", rule("get list", "pods"), rule("get", urls="/healthz")))
    server.put(binding("b", "reader", "User:bob", "Group:devs"))
    return server


def _ask(server: Server, kind: str, spec: Any, namespace: str = "", user: User = BOB, **body: Any) -> dict[str, Any]:
    made = {**AUTHORIZATION, "kind": kind, "spec": spec, **body}
    return server.control.review(kind.lower() + "s", user, made, namespace)


def _pods(verb: str = "list", **more: Any) -> dict[str, Any]:
    return {"resourceAttributes": {"verb": verb, "resource": "pods", "namespace": "default", **more}}


def test_can_i(reading: Server) -> None:
    answer = _ask(reading, "SelfSubjectAccessReview", _pods())
    reason = 'RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "reader" to User "bob"'
    assert answer == {
        "kind": "SelfSubjectAccessReview",
        "apiVersion": "authorization.k8s.io/v1",
        "metadata": {},
        "spec": _pods(),
        "status": {"allowed": True, "reason": reason},
    }
    assert _ask(reading, "SelfSubjectAccessReview", _pods("delete"))["status"] == {"allowed": False}
    path = {"nonResourceAttributes": {"verb": "get", "path": "/healthz"}}
    assert _ask(reading, "SelfSubjectAccessReview", path)["status"]["allowed"]


def test_can_somebody(reading: Server) -> None:
    for who, allowed in [({"user": "bob"}, True), ({"user": "eve"}, False), ({"groups": ["devs"]}, True)]:
        assert _ask(reading, "SubjectAccessReview", {**_pods(), **who})["status"]["allowed"] is allowed


def test_can_somebody_here(reading: Server) -> None:
    here = {"metadata": {"namespace": "default"}}
    spec = {**_pods(), "user": "bob"}
    assert _ask(reading, "LocalSubjectAccessReview", spec, "default", **here)["status"]["allowed"]
    elsewhere = {**_pods(namespace="other"), "user": "bob"}
    with pytest.raises(Invalid, match=r'Invalid value: "other": must match metadata.namespace'):
        _ask(reading, "LocalSubjectAccessReview", elsewhere, "default", **here)
    with pytest.raises(ApiError, match=r"must match namespace: default"):
        _ask(reading, "LocalSubjectAccessReview", spec, "default", metadata={"namespace": "other"})


def test_field_selectors_are_understood(server: Server) -> None:
    node: dict[str, Any] = {"user": "system:node:node1", "groups": ["system:nodes"]}
    by_node = {"requirements": [{"key": "spec.nodeName", "operator": "In", "values": ["node1"]}]}
    for selector, allowed, error in [
        (by_node, True, None),
        ({"rawSelector": "spec.nodeName=node1"}, True, None),
        ({"rawSelector": "spec.nodeName!=node1"}, False, None),
        ({"rawSelector": "rubbish"}, False, "spec.resourceAttributes.fieldSelector ignored due to parse error"),
        (
            {"requirements": [*by_node["requirements"], {"key": "x", "operator": "Exists"}]},
            True,
            "spec.resourceAttributes.fieldSelector partially ignored due to parse error",
        ),
    ]:
        status = _ask(server, "SubjectAccessReview", {**_pods(fieldSelector=selector), **node})["status"]
        assert (status["allowed"], status.get("evaluationError")) == (allowed, error), selector


@pytest.mark.parametrize(
    ("spec", "metadata", "messages"),
    [
        ({"user": "bob"}, {}, ["exactly one of nonResourceAttributes or resourceAttributes must be specified"]),
        (_pods(), {}, ['spec.user: Invalid value: "": at least one of user or group must be specified']),
        (
            {**_pods(), "user": "b", "nonResourceAttributes": {"verb": "get", "path": "/"}},
            {},
            ["spec.nonResourceAttributes: ", "cannot be specified in combination with resourceAttributes"],
        ),
        ({**_pods(), "user": "b"}, {"name": "x"}, ["metadata: ", "must be empty"]),
        ({**_pods(fieldSelector={}), "user": "b"}, {}, ["requirements or rawSelector is required"]),
    ],
)
def test_invalid(server: Server, spec: dict[str, Any], metadata: dict[str, Any], messages: list[str]) -> None:
    with pytest.raises(Invalid) as caught:
        _ask(server, "SubjectAccessReview", spec, metadata=metadata)
    assert caught.value.message.startswith('.authorization.k8s.io "" is invalid: ')
    for message in messages:
        assert message in caught.value.message


def test_rules(reading: Server) -> None:
    answer = _ask(reading, "SelfSubjectRulesReview", {"namespace": "default"})
    assert answer["status"] == {
        "resourceRules": [{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}],
        "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/healthz"]}],
        "incomplete": False,
    }
    of_node = _ask(reading, "SelfSubjectRulesReview", {"namespace": "default"}, user=node_user("n"))["status"]
    assert of_node["incomplete"]
    assert of_node["evaluationError"] == "node authorizer does not support user rule resolution"
    with pytest.raises(ApiError, match="no namespace on request"):
        _ask(reading, "SelfSubjectRulesReview", {})


def test_whoami(server: Server) -> None:
    user = User("bob", "u1", ("devs",), {"k": ("v",)})
    assert server.control.review("selfsubjectreviews", user, {}) == {
        "kind": "SelfSubjectReview",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"creationTimestamp": "2023-11-14T22:13:20Z"},
        "status": {"userInfo": {"username": "bob", "uid": "u1", "groups": ["devs"], "extra": {"k": ["v"]}}},
    }


def test_unknown_review(server: Server) -> None:
    with pytest.raises(NotFound):
        server.control.review("pods", BOB, {})


# TokenRequest and TokenReview.


@pytest.fixture
def accounts(server: Server) -> Server:
    server.put(service_account("default", "default", "sa"), pod("web", uid="p1"))
    server.put({"kind": "Node", "metadata": {"name": "node1", "uid": "n1"}})
    server.put({"kind": "Secret", "metadata": {"name": "s", "namespace": "default", "uid": "s1"}})
    return server


def _request(server: Server, user: User = BOB, name: str = "default", **body: Any) -> dict[str, Any]:
    return server.control.request_token(user, "default", name, body, server.reader)  # type: ignore[arg-type]


def _review(server: Server, token: str, **spec: Any) -> dict[str, Any]:
    status: dict[str, Any] = server.control.review("tokenreviews", BOB, {"spec": {"token": token, **spec}})["status"]
    return status


def test_a_token_of_an_hour(accounts: Server) -> None:
    answer = _request(accounts)
    token = answer["status"].pop("token")
    assert answer == {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {
            "name": "default", "namespace": "default", "uid": "sa", "creationTimestamp": "2023-11-14T22:13:20Z",
        },
        "spec": {"audiences": [ISSUER], "expirationSeconds": 3600, "boundObjectRef": None},
        "status": {"expirationTimestamp": "2023-11-14T23:13:20Z"},
    }  # fmt: skip
    status = _review(accounts, token)
    assert status["authenticated"]
    assert status["audiences"] == [ISSUER]
    assert status["user"]["username"] == "system:serviceaccount:default:default"


def test_bound_to_a_pod_it_tells_pod_and_node(accounts: Server) -> None:
    reference = {"apiVersion": "v1", "kind": "Pod", "name": "web", "uid": "p1"}
    token = _request(accounts, spec={"boundObjectRef": reference, "expirationSeconds": 700})["status"]["token"]
    extra = _review(accounts, token)["user"]["extra"]
    assert extra["authentication.kubernetes.io/pod-uid"] == ["p1"]
    assert extra["authentication.kubernetes.io/node-name"] == ["node1"]
    assert extra["authentication.kubernetes.io/node-uid"] == ["n1"]
    accounts.remove(pod("web", uid="p1"))
    assert _review(accounts, token) == {
        "user": {},
        "error": "[invalid bearer token, service account token has been invalidated]",
    }


def test_bound_to_secret_and_node(accounts: Server) -> None:
    for kind, name in (("Secret", "s"), ("Node", "node1")):
        spec = {"boundObjectRef": {"apiVersion": "v1", "kind": kind, "name": name}}
        assert _review(accounts, _request(accounts, spec=spec)["status"]["token"])["authenticated"]


def test_projected_tokens_outlive_their_time(accounts: Server) -> None:
    spec = {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "web"}, "expirationSeconds": 3607}
    answer = _request(accounts, spec=spec)
    assert answer["status"]["expirationTimestamp"] == "2023-11-14T23:13:27Z"
    accounts.clock.now += 7200
    assert _review(accounts, answer["status"]["token"])["authenticated"]
    vault = _request(accounts, spec={**spec, "audiences": ["vault"]})["status"]["token"]
    accounts.clock.now += 7200
    assert "has expired" in _review(accounts, vault, audiences=["vault"])["error"]


def test_token_reviews_of_other_audiences(accounts: Server) -> None:
    token = _request(accounts, spec={"audiences": ["vault", "x"]})["status"]["token"]
    assert _review(accounts, token, audiences=["vault", "y"])["audiences"] == ["vault"]
    assert "authenticated" not in _review(accounts, token)
    assert _review(accounts, "rubbish") == {"user": {}, "error": "invalid bearer token"}
    with pytest.raises(ApiError, match="token is required for TokenReview in authentication"):
        _review(accounts, "")


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        (
            {"spec": {"expirationSeconds": 599}},
            Invalid,
            'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 599: '
            "may not specify a duration less than 10 minutes",
        ),
        (
            {"spec": {"expirationSeconds": 1 << 33}},
            Invalid,
            'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 8589934592: '
            "may not specify a duration larger than 2^32 seconds",
        ),
        (
            {"metadata": {"name": "other"}},
            Invalid,
            'TokenRequest.authentication.k8s.io "default" is invalid: metadata.name: Invalid value: "other": '
            "must match the service account name if specified",
        ),
        (
            {"metadata": {"uid": "other"}},
            Conflict,
            'Operation cannot be fulfilled on TokenRequest.authentication.k8s.io "default": the UID in the token '
            "request (other) does not match the UID of the service account (sa)",
        ),
        (
            {"spec": {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "gone"}}},
            NotFound,
            'pods "gone" not found',
        ),
        (
            {"spec": {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "web", "uid": "p0"}}},
            Conflict,
            'Operation cannot be fulfilled on Pod "web": the UID in the bound object reference (p0) does not match '
            "the UID in record. The object might have been deleted and then recreated",
        ),
        (
            {"spec": {"boundObjectRef": {"apiVersion": "v1", "kind": "ConfigMap", "name": "x"}}},
            ApiError,
            "cannot bind token to object of type /v1, Kind=ConfigMap",
        ),
    ],
)
def test_token_requests_refused(accounts: Server, body: Any, error: type[ApiError], message: str) -> None:
    with pytest.raises(error) as caught:
        _request(accounts, **body)
    assert caught.value.message == message


def test_other_accounts_pods(accounts: Server) -> None:
    accounts.put(service_account("default", "other", "sa2"))
    with pytest.raises(NotFound, match='serviceaccounts "none" not found'):
        _request(accounts, name="none")
    with pytest.raises(ApiError, match="to pod running with different serviceaccount name"):
        _request(accounts, name="other", spec={"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "web"}})


def test_nodes_get_tokens_for_their_pods_only(accounts: Server) -> None:
    reference = {"apiVersion": "v1", "kind": "Pod", "name": "web", "uid": "p1"}
    assert _request(accounts, node_user("node1"), spec={"boundObjectRef": reference})["status"]["token"]
    for user, given, message in [
        (node_user("node1"), None, "node requested token not bound to a pod"),
        (node_user("node1"), {**reference, "kind": "Secret"}, "node requested token not bound to a pod"),
        (node_user("node1"), {**reference, "uid": ""}, "node requested token with a pod binding without a uid"),
        (node_user("node1"), {**reference, "uid": "p0"}, "does not match the UID in record"),
        (node_user("node2"), reference, "node requested token bound to a pod scheduled on a different node"),
    ]:
        with pytest.raises(Forbidden, match=message):
            _request(accounts, user, spec={"boundObjectRef": given})
