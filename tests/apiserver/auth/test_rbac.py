"""RBAC: reasons, messages, bounds, and the guard against escalation, in kube-apiserver's words."""

import pytest
from tests.apiserver.auth.conftest import Server, binding, person, role, rule

from weft.apiserver.auth import Attributes, User, refusal
from weft.apiserver.auth.rbac import authorizer
from weft.apiserver.auth.rbac.rule import Rule, compact, not_covered
from weft.cluster.errors import ApiError, Forbidden, NotFound

BOB = person("bob")
PODS = rule("get list", "pods")


def test_allowed_names_the_binding(server: Server) -> None:
    server.put(role("reader", PODS), binding("all-read", "reader", "Group:system:authenticated"))
    decision = server.control.authorize(BOB, Attributes("list", resource="pods", namespace="default"))
    assert decision.allowed
    assert decision.reason == (
        'RBAC: allowed by ClusterRoleBinding "all-read" of ClusterRole "reader" to Group "system:authenticated"'
    )


def test_a_role_binding_gives_its_role_in_its_namespace_only(server: Server) -> None:
    server.put(role("reader", PODS), binding("b", "reader", "User:bob", namespace="default"))
    assert server.may(BOB, "list", "pods", namespace="default")
    assert not server.may(BOB, "list", "pods", namespace="other")
    assert not server.may(BOB, "list", "pods")
    reason = server.control.authorize(BOB, Attributes("get", resource="pods", namespace="default")).reason
    assert reason == 'RBAC: allowed by RoleBinding "b/default" of ClusterRole "reader" to User "bob"'


def test_changes_count_at_once(server: Server) -> None:
    reader, bound = role("reader", PODS), binding("b", "reader", "User:bob")
    server.put(reader, bound)
    assert server.may(BOB, "list", "pods")
    server.put(role("reader", rule("get", "pods")))
    assert not server.may(BOB, "list", "pods")
    server.put(reader)
    assert server.may(BOB, "list", "pods")
    server.remove(bound)
    assert not server.may(BOB, "list", "pods")


def test_a_service_account_of_a_role_bindings_own_namespace(server: Server) -> None:
    server.put(role("reader", PODS), binding("b", "reader", "ServiceAccount:robot", namespace="default"))
    assert server.may(User("system:serviceaccount:default:robot"), "list", "pods", namespace="default")
    assert not server.may(User("system:serviceaccount:other:robot"), "list", "pods", namespace="default")


def test_missing_role_is_told(server: Server) -> None:
    server.put(binding("b", "nothing", "User:bob"), binding("c", "none", "User:bob", namespace="x", role_kind="Role"))
    asked = Attributes("list", resource="pods", namespace="x")
    reason = server.control.authorize(BOB, asked).reason
    assert reason == (
        'RBAC: [clusterrole.rbac.authorization.k8s.io "nothing" not found, '
        'role.rbac.authorization.k8s.io "none" not found]'
    )


def test_superusers_are_not_asked(server: Server) -> None:
    assert server.may(person("root", "system:masters"), "delete", "nodes", name="node1")


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        (
            Attributes("list", "", "v1", "pods", namespace="default"),
            'pods is forbidden: User "bob" cannot list resource "pods" in API group "" in the namespace "default"',
        ),
        (
            Attributes("get", "apps", "v1", "deployments", "scale", "default", "web"),
            'deployments.apps "web" is forbidden: User "bob" cannot get resource "deployments/scale" in API group '
            '"apps" in the namespace "default"',
        ),
        (
            Attributes("delete", "", "v1", "nodes", name="node1"),
            'nodes "node1" is forbidden: User "bob" cannot delete resource "nodes" in API group "" '
            "at the cluster scope",
        ),
        (Attributes("get", path="/a<b>"), 'forbidden: User "bob" cannot get path "/a&lt;b&gt;"'),
    ],
)
def test_refusal(attributes: Attributes, message: str) -> None:
    error = refusal(BOB, attributes)
    assert (error.code, error.reason, error.message) == (403, "Forbidden", message)


def test_refusal_has_details_and_the_reason() -> None:
    error = refusal(BOB, Attributes("get", "apps", "v1", "deployments", "", "default", "web"), "why")
    assert error.details == {"name": "web", "group": "apps", "kind": "deployments"}
    assert error.message.endswith('in the namespace "default": why')
    assert refusal(BOB, Attributes("get", path="/x")).details == {}


def test_what_is_remembered_is_bounded(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authorizer, "_USERS", 3)
    monkeypatch.setattr(authorizer, "_VERDICTS", 3)
    server.put(role("reader", rule("get", "pods", names="a")), binding("b", "reader", "Group:g"))
    for number in range(20):
        who = User(f"u{number}", groups=("g",))
        assert server.may(who, "get", "pods", name="a", namespace=f"n{number}")
        assert not server.may(who, "get", "pods", name="b", namespace=f"n{number}")
        for other in range(5):
            server.may(who, "get", "pods", namespace=f"n{other}")
    rbac = server.control.authorizer.rbac
    assert len(rbac._users) <= 3
    assert all(len(each.verdicts) <= 3 and len(each.grants) <= 3 for each in rbac._users.values())


def test_aggregated_roles_follow_labels(server: Server) -> None:
    label = {"weft/into": "true"}
    gathering = {
        **role("all"),
        "aggregationRule": {
            "clusterRoleSelectors": [{"matchExpressions": [{"key": "weft/into", "operator": "Exists"}]}]
        },
    }
    server.put(gathering, binding("b", "all", "User:bob"))
    assert not server.may(BOB, "list", "pods")
    server.put(role("part", PODS, labels=label))
    assert server.may(BOB, "list", "pods")
    assert dict(server.control.aggregated_roles()) == {
        "all": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]
    }
    server.put({**gathering, "rules": [PODS]})
    assert not dict(server.control.aggregated_roles())
    server.put(role("part", PODS))
    assert not server.may(BOB, "list", "pods")


# Escalation.


def test_nobody_creates_a_role_with_more_than_they_hold(server: Server) -> None:
    server.put(
        role(
            "editor",
            rule("get list create", "pods"),
            rule("create update", "clusterroles", ("rbac.authorization.k8s.io",)),
        ),
        binding("b", "editor", "User:bob"),
    )
    server.create(BOB, role("mine", PODS))
    with pytest.raises(Forbidden) as caught:
        server.create(BOB, role("mine", rule("get list delete", "pods secrets"), rule("get", urls="/metrics")))
    assert caught.value.message == (
        'clusterroles.rbac.authorization.k8s.io "mine" is forbidden: user "bob" (groups=["system:authenticated"]) is '
        "attempting to grant RBAC permissions not currently held:\n"
        '{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}\n'
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list" "delete"]}\n'
        '{NonResourceURLs:["/metrics"], Verbs:["get"]}'
    )


def test_escalate_allows_it(server: Server) -> None:
    escalating = rule("escalate", "clusterroles", ("rbac.authorization.k8s.io",), names="mine")
    server.put(role("editor", escalating), binding("b", "editor", "User:bob"))
    old = role("mine")
    server.update(BOB, role("mine", PODS), old)
    with pytest.raises(Forbidden):
        server.create(BOB, role("mine", PODS))
    with pytest.raises(Forbidden):
        server.update(BOB, role("other", PODS), role("other"))
    server.create(person("root", "system:masters"), role("mine", rule("*", "*", ("*",))))


def test_owners_and_finalizers_may_go(server: Server) -> None:
    old = role("r", rule("*", "*", ("*",)))
    new = {**old, "metadata": {**old["metadata"], "ownerReferences": [{"uid": "x"}], "resourceVersion": "2"}}
    server.update(BOB, new, old)
    with pytest.raises(Forbidden):
        server.update(BOB, {**new, "rules": [*new["rules"], PODS]}, old)


def test_aggregation_needs_everything(server: Server) -> None:
    server.put(role("r", rule("*", "*", ("*",))), binding("b", "r", "User:bob"))
    gathering = {**role("g"), "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}}
    # The verb * includes escalate.
    server.create(BOB, gathering)
    server.put(role("r", rule("get", "*", ("*",))))
    with pytest.raises(Forbidden, match="must have cluster-admin privileges to use the aggregationRule"):
        server.create(BOB, gathering)
    with pytest.raises(Forbidden, match="must have cluster-admin privileges"):
        server.update(BOB, role("g"), gathering)


def test_binding_needs_the_roles_rules_or_the_verb_bind(server: Server) -> None:
    server.put(role("reader", PODS), role("deleter", rule("delete", "pods")), binding("b", "reader", "User:bob"))
    server.create(BOB, binding("x", "reader", "User:eve", namespace="default"))
    with pytest.raises(Forbidden, match=r'rolebindings.* "x" is forbidden: user "bob"'):
        server.create(BOB, binding("x", "deleter", "User:bob", namespace="default"))
    with pytest.raises(NotFound, match=r'rolebindings\.rbac\.authorization\.k8s\.io "gone" not found'):
        server.create(BOB, binding("x", "gone", "User:bob", namespace="default"))
    bind = rule("bind", "clusterroles", ("rbac.authorization.k8s.io",), names="deleter gone")
    server.put(role("binder", bind), binding("c", "binder", "User:bob", namespace="default"))
    server.create(BOB, binding("x", "deleter", "User:bob", namespace="default"))
    server.create(BOB, binding("x", "gone", "User:bob", namespace="default"))
    with pytest.raises(Forbidden):
        server.create(BOB, binding("x", "deleter", "User:bob"))


def test_rules_held_in_a_namespace_do_not_reach_beyond_it(server: Server) -> None:
    server.put(role("reader", PODS), binding("b", "reader", "User:bob", namespace="default"))
    server.create(BOB, role("mine", PODS, namespace="default"))
    for namespace in ("", "other"):
        with pytest.raises(ApiError):
            server.create(BOB, role("mine", PODS, namespace=namespace))


def test_covering() -> None:
    held = [Rule(("*",), ("",), ("*/log", "pods")), Rule(("get",), ("apps",), ("*",), ("web",))]
    assert not not_covered(held, [Rule(("get", "list"), ("",), ("pods/log", "pods"), ("x",))])
    assert not not_covered(held, [Rule(("get",), ("apps",), ("deployments",), ("web",))])
    assert not_covered(held, [Rule(("get",), ("apps",), ("deployments",))])
    assert not_covered(held, [Rule(("get",), ("*",), ("pods",))])
    assert not_covered(held, [Rule(("get",), ("",), ("pods/exec",))])
    atoms = [Rule(("get",), ("",), ("pods",)), Rule(("list",), ("",), ("pods",)), Rule(("get",), urls=("/x",))]
    assert compact(atoms) == [Rule(("get", "list"), ("",), ("pods",)), Rule(("get",), urls=("/x",))]
