"""The roles of a new cluster: upstream's to the rule, sufficient for Weft's parts, and not more."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.apiserver.auth.conftest import Server, person, role, rule

from weft.apiserver.auth import Attributes, User, bootstrap_objects, reconcile
from weft.apiserver.auth.rbac.rule import Rule, rules_of
from weft.apiserver.kinds import rbac
from weft.apiserver.registry.kind import Object

POLICY = "kubernetes-v1.36.3/plugin/pkg/auth/authorizer/rbac/bootstrappolicy/testdata"
CONTROLLERS = User("system:kube-controller-manager", groups=("system:authenticated",))
NETWORK = User("system:weft:network", groups=("system:authenticated",))
DNS = User("system:serviceaccount:kube-system:coredns", groups=("system:serviceaccounts",))


def _upstream() -> dict[tuple[str, str, str], Object]:
    peers = Path(os.environ.get("WEFT_PEERS", "~/.cache/weft-peers")).expanduser()
    directory = peers / "src" / POLICY
    if not directory.is_dir():
        pytest.skip(f"{directory} is not there")
    found = [
        item
        for file in directory.glob("*.yaml")
        if "featuregates" not in file.name
        for item in yaml.load(file.read_text(), Loader=yaml.CSafeLoader)["items"]
    ]
    return {_key(item): item for item in found}


def _key(obj: Object) -> tuple[str, str, str]:
    return obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _atoms(obj: Object) -> set[Rule]:
    return {atom for each in rules_of(obj) for atom in each.atoms()}


@pytest.mark.peer
def test_upstreams_roles_to_the_rule() -> None:
    upstream = _upstream()
    own = {_key(obj): obj for obj in bootstrap_objects()}
    added = {name for _, _, name in own.keys() - upstream.keys()}
    assert added == {"system:weft:controllers", "system:weft:network", "system:coredns", "system:weft:kubelet-client"}
    for key in own.keys() & upstream.keys():
        ours, theirs = own[key], upstream[key]
        assert ours["metadata"].get("labels") == theirs["metadata"].get("labels"), key
        if key[0].endswith("Binding"):
            assert ours["roleRef"] == theirs["roleRef"], key
            assert _subjects(ours) == _subjects(theirs), key
        elif "aggregationRule" in theirs:
            assert ours["aggregationRule"] == theirs["aggregationRule"], key
        else:
            assert _atoms(ours) ^ _atoms(theirs) == set(), key


def _subjects(bound: Object) -> list[Any]:
    return sorted(tuple(sorted(each.items())) for each in bound.get("subjects") or ())


def test_every_binding_has_its_role(booted: Server) -> None:
    known = {_key(obj) for obj in bootstrap_objects()}
    for obj in bootstrap_objects():
        if obj["kind"].endswith("Binding"):
            home = obj["metadata"].get("namespace", "") if obj["roleRef"]["kind"] == "Role" else ""
            assert (obj["roleRef"]["kind"], home, obj["roleRef"]["name"]) in known


def test_names_are_unique_and_objects_fresh() -> None:
    objects = bootstrap_objects()
    assert len({_key(obj) for obj in objects}) == len(objects)
    objects[0]["metadata"]["labels"]["x"] = "y"
    assert "x" not in bootstrap_objects()[0]["metadata"]["labels"]


def test_aggregated_roles_come_with_their_rules(booted: Server) -> None:
    assert not dict(booted.control.aggregated_roles())
    by_name = {obj["metadata"]["name"]: obj for obj in bootstrap_objects() if obj["kind"] == "ClusterRole"}
    assert _atoms(by_name["view"]) < _atoms(by_name["edit"]) < _atoms(by_name["admin"])


def test_people(booted: Server) -> None:
    bob = person("bob")
    assert not booted.may(bob, "list", "pods", namespace="default")
    from tests.apiserver.auth.conftest import binding

    booted.put(binding("b", "edit", "User:bob", namespace="default"))
    assert booted.may(bob, "create", "pods/exec", namespace="default", name="web")
    assert booted.may(bob, "get", "secrets", namespace="default", name="s")
    assert not booted.may(bob, "create", "rolebindings", group="rbac.authorization.k8s.io", namespace="default")
    assert not booted.may(bob, "list", "nodes")
    assert not booted.may(bob, "list", "pods", namespace="kube-system")


def test_anonymous_sees_health_and_version_only(booted: Server) -> None:
    anonymous = User("system:anonymous", groups=("system:unauthenticated",))
    paths = {path: booted.control.authorize(anonymous, Attributes("get", path=path)).allowed for path in (
        "/healthz", "/readyz", "/version", "/api", "/apis", "/metrics", "/openapi/v3", "/readyz/etcd",
    )}  # fmt: skip
    assert [path for path, allowed in paths.items() if allowed] == ["/healthz", "/readyz", "/version"]


def test_everybody_discovers_and_asks_about_themselves(booted: Server) -> None:
    bob = person("bob")
    for path in ("/api", "/apis/apps/v1", "/openapi/v3", "/openapi/v3/api/v1"):
        assert booted.control.authorize(bob, Attributes("get", path=path)).allowed
    assert booted.may(bob, "create", "selfsubjectaccessreviews", group="authorization.k8s.io")
    assert not booted.may(bob, "create", "subjectaccessreviews", group="authorization.k8s.io")
    assert not booted.control.authorize(bob, Attributes("get", path="/metrics")).allowed


@pytest.mark.parametrize(
    ("user", "allowed", "refused"),
    [
        (
            CONTROLLERS,
            ["list pods", "create pods", "delete pods", "patch pods/status", "create replicasets.apps",
             "update deployments.apps/status", "create endpointslices.discovery.k8s.io", "create endpoints",
             "update namespaces/finalize", "deletecollection secrets", "deletecollection things.example.com",
             "create serviceaccounts", "create configmaps", "update configmaps", "patch nodes", "update nodes/status",
             "create events", "patch events.events.k8s.io", "list things.example.com", "delete nodes",
             "create controllerrevisions.apps", "get leases.coordination.k8s.io"],
            ["create clusterroles.rbac.authorization.k8s.io", "bind clusterroles.rbac.authorization.k8s.io",
             "create pods/exec", "impersonate users", "create deployments.apps"],
        ),
        (
            NETWORK,
            ["list nodes", "watch nodes", "patch nodes/status", "create events"],
            ["patch nodes", "get secrets", "get configmaps", "create pods", "list services", "list pods"],
        ),
        (
            DNS,
            ["list services", "watch endpointslices.discovery.k8s.io", "list namespaces", "list pods"],
            ["get secrets", "list configmaps", "list nodes", "create events"],
        ),
        (
            User("system:kube-proxy"),
            ["list services", "watch endpointslices.discovery.k8s.io", "get nodes", "create events.events.k8s.io"],
            ["list pods", "get secrets", "patch nodes/status"],
        ),
        (
            User("system:kube-scheduler"),
            ["create pods/binding", "patch pods/status", "list nodes", "delete pods", "create events"],
            ["create pods", "get secrets", "patch nodes"],
        ),
        (
            User("kube-apiserver-kubelet-client"),
            ["get nodes/proxy", "create nodes/proxy", "get nodes/log"],
            ["list pods", "get secrets", "delete nodes"],
        ),
    ],
)  # fmt: skip
def test_parts_have_what_they_need_and_no_more(
    booted: Server, user: User, allowed: list[str], refused: list[str]
) -> None:
    for question in [*allowed, *refused]:
        verb, _, what = question.partition(" ")
        path, _, subresource = what.partition("/")
        plural, _, group = path.partition(".")
        asked = Attributes(verb, group, resource=plural, subresource=subresource, namespace="default")
        assert booted.control.authorize(user, asked).allowed is (question in allowed), question


def test_reconcile_adds_and_never_takes_away() -> None:
    wanted = next(obj for obj in bootstrap_objects() if _key(obj) == ("ClusterRole", "", "system:discovery"))
    assert reconcile(wanted, wanted) is None
    mine = {"apiGroups": [""], "resources": ["x"], "verbs": ["get"]}
    changed = reconcile({**wanted, "rules": [mine]}, wanted)
    assert changed is not None
    assert changed["rules"] == [mine, *wanted["rules"]]
    kept = {**wanted["metadata"], "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "false"}}
    assert reconcile({**wanted, "metadata": kept, "rules": []}, wanted) is not None
    kept["annotations"] = {"rbac.authorization.k8s.io/autoupdate": "false"}
    assert reconcile({**wanted, "metadata": kept, "rules": []}, wanted) is None


def test_reconcile_subjects_and_metadata() -> None:
    wanted = next(obj for obj in bootstrap_objects() if _key(obj) == ("ClusterRoleBinding", "", "system:discovery"))
    extra = {"kind": "User", "name": "bob", "apiGroup": "rbac.authorization.k8s.io"}
    metadata = {"name": "system:discovery", "uid": "u", "labels": {"mine": "1"}}
    changed = reconcile({**wanted, "metadata": metadata, "subjects": [extra]}, wanted)
    assert changed is not None
    assert changed["subjects"] == [extra, *wanted["subjects"]]
    assert changed["metadata"]["uid"] == "u"
    assert changed["metadata"]["labels"] == {"kubernetes.io/bootstrapping": "rbac-defaults", "mine": "1"}
    assert reconcile(changed, wanted) is None


def test_objects_are_of_kinds_that_are_served() -> None:
    kinds = {
        kind.resource.kind for kind in (rbac.ROLE, rbac.ROLE_BINDING, rbac.CLUSTER_ROLE, rbac.CLUSTER_ROLE_BINDING)
    }
    assert {obj["kind"] for obj in bootstrap_objects()} == kinds
    assert role("x", rule("get", "pods"))["kind"] in kinds
