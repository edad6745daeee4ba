"""Nodes: what they may read is what their pods refer to; what they may write is theirs."""

from typing import Any

import pytest
from tests.apiserver.auth.conftest import Server, node_user, person, pod

from weft.apiserver.auth import Attributes, User
from weft.apiserver.auth.node.references import references
from weft.cluster.errors import Forbidden

NODE1, NODE2 = node_user("node1"), node_user("node2")
FULL = pod(
    "web",
    imagePullSecrets=[{"name": "pull"}],
    containers=[
        {
            "envFrom": [{"secretRef": {"name": "s1"}}, {"configMapRef": {"name": "c1"}}],
            "env": [
                {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s2", "key": "k"}}},
                {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "c2", "key": "k"}}},
                {"name": "C", "value": "x"},
            ],
        }
    ],
    initContainers=[{"envFrom": [{"configMapRef": {"name": "c3"}}]}],
    volumes=[
        {"name": "a", "secret": {"secretName": "s3"}},
        {"name": "b", "configMap": {"name": "c4"}},
        {"name": "c", "projected": {"sources": [{"secret": {"name": "s4"}}, {"configMap": {"name": "c5"}}, {}]}},
        {"name": "d", "persistentVolumeClaim": {"claimName": "p1"}},
        {"name": "e", "emptyDir": {}},
        {"name": "f", "ephemeral": {"volumeClaimTemplate": {}}},
    ],
)


def test_references() -> None:
    wanted = {
        ("pods", "web"), ("serviceaccounts", "default"), ("secrets", "pull"),
        *(("secrets", f"s{number}") for number in range(1, 5)),
        *(("configmaps", f"c{number}") for number in range(1, 6)),
        ("persistentvolumeclaims", "p1"), ("persistentvolumeclaims", "web-f"),
    }  # fmt: skip
    assert references(FULL) == {(plural, "default", name) for plural, name in wanted}


def test_a_node_reads_what_its_pods_refer_to(server: Server) -> None:
    server.put(FULL)
    for name in ("pull", "s1", "s2", "s3", "s4"):
        assert server.may(NODE1, "get", "secrets", namespace="default", name=name)
        assert not server.may(NODE2, "get", "secrets", namespace="default", name=name)
    assert server.may(NODE1, "watch", "configmaps", namespace="default", name="c5")
    assert not server.may(NODE1, "get", "secrets", namespace="other", name="s1")
    assert not server.may(NODE1, "list", "secrets", namespace="default")
    assert not server.may(NODE1, "update", "secrets", namespace="default", name="s1")
    assert server.may(NODE1, "create", "serviceaccounts/token", namespace="default", name="default")
    assert not server.may(NODE2, "create", "serviceaccounts/token", namespace="default", name="default")
    assert server.may(NODE1, "get", "serviceaccounts", namespace="default", name="default")


def test_the_last_pods_end_ends_it(server: Server) -> None:
    first, second = (pod(name, volumes=[{"secret": {"secretName": "s"}}]) for name in ("a", "b"))
    server.put(first, second)
    server.remove(first)
    assert server.may(NODE1, "get", "secrets", namespace="default", name="s")
    server.remove(second)
    assert not server.may(NODE1, "get", "secrets", namespace="default", name="s")
    assert not server.control.authorizer.node._readers


def test_a_pod_counts_once_it_is_bound_and_debuggers_add(server: Server) -> None:
    server.put(pod("a", node="", containers=[{"envFrom": [{"secretRef": {"name": "s"}}]}]))
    assert not server.may(NODE1, "get", "secrets", namespace="default", name="s")
    server.put(pod("a", containers=[{"envFrom": [{"secretRef": {"name": "s"}}]}]))
    assert server.may(NODE1, "get", "secrets", namespace="default", name="s")
    server.put(pod("a", ephemeralContainers=[{"envFrom": [{"secretRef": {"name": "t"}}]}]))
    assert server.may(NODE1, "get", "secrets", namespace="default", name="t")


def test_why_not(server: Server) -> None:
    def reason(verb: str, resource: str, **more: Any) -> str:
        plural, _, subresource = resource.partition("/")
        asked = Attributes(verb, resource=plural, subresource=subresource, **more)
        decision = server.control.authorize(NODE1, asked)
        assert not decision.allowed
        return decision.reason

    assert reason("get", "secrets", namespace="d", name="x") == (
        "no relationship found between node 'node1' and this object"
    )
    assert reason("list", "pods") == "can only list/watch pods with spec.nodeName field selector"
    assert reason("list", "nodes") == "node 'node1' cannot read all nodes, only its own Node object"
    assert reason("get", "nodes", name="node2") == "node 'node1' cannot read 'node2', only its own Node object"
    assert reason("get", "leases", group="coordination.k8s.io", namespace="d", name="node1") == (
        'can only access leases in the "kube-node-lease" system namespace'
    )
    assert reason("delete", "services", namespace="d", name="x") == ""


def test_what_a_node_does(server: Server) -> None:
    lease = {"group": "coordination.k8s.io", "namespace": "kube-node-lease"}
    selector = (("spec.nodeName", "node1"),)
    assert server.may(NODE1, "list", "pods", field_selector=selector)
    assert not server.may(NODE2, "list", "pods", field_selector=selector)
    for verb, resource, more in [
        ("create", "nodes", {}),
        ("get", "nodes", {"name": "node1"}),
        ("patch", "nodes/status", {"name": "node1"}),
        ("patch", "pods/status", {"namespace": "d", "name": "x"}),
        ("delete", "pods", {"namespace": "d", "name": "x"}),
        ("update", "leases", {**lease, "name": "node1"}),
        ("create", "leases", lease),
        ("create", "events", {"namespace": "d"}),
        ("list", "services", {}),
        ("create", "subjectaccessreviews", {"group": "authorization.k8s.io"}),
    ]:
        assert server.may(NODE1, verb, resource, **more), (verb, resource)
    assert not server.may(NODE2, "update", "leases", **lease, name="node1")


def test_a_name_like_a_nodes_is_not_enough(server: Server) -> None:
    server.put(FULL)
    assert not server.may(User("system:node:node1"), "get", "secrets", namespace="default", name="s1")
    assert not server.may(User("node1", groups=("system:nodes",)), "get", "secrets", namespace="default", name="s1")


# NodeRestriction.


def _refused(what: Any) -> str:
    with pytest.raises(Forbidden) as caught:
        what()
    return caught.value.message.partition(" is forbidden: ")[2]


def _node(name: str, uid: str = "u", **metadata: Any) -> dict[str, Any]:
    return {"kind": "Node", "metadata": {"name": name, "uid": uid, **metadata}, "spec": {}}


def test_a_node_writes_itself_only(server: Server) -> None:
    own = {"kubernetes.io/hostname": "node1", "kubernetes.io/os": "linux", "role": "web", "node.kubernetes.io/x": "y"}
    server.create(NODE1, _node("node1", labels=own))
    assert _refused(lambda: server.create(NODE1, _node("node2"))) == (
        'node "node1" is not allowed to modify node "node2"'
    )
    steering = {"node-restriction.kubernetes.io/x": "", "node-role.kubernetes.io/control-plane": "", **own}
    assert _refused(lambda: server.create(NODE1, _node("node1", labels=steering))) == (
        'node "node1" is not allowed to set the following labels: node-restriction.kubernetes.io/x, '
        "node-role.kubernetes.io/control-plane"
    )
    old = _node("node1", labels=steering)
    server.update(NODE1, {**_node("node1", labels=steering), "status": {}}, old, "status")
    tainted = {**_node("node1", labels=steering), "spec": {"taints": [{"key": "a"}]}}
    assert _refused(lambda: server.update(NODE1, old, tainted)) == 'node "node1" is not allowed to modify taints'
    assert _refused(lambda: server.update(NODE1, _node("node1"), old)).startswith("is not allowed to modify labels: ")
    assert _refused(lambda: server.update(NODE1, _node("node1", ownerReferences=[{}]), _node("node1"))) == (
        'node "node1" is not allowed to modify ownerReferences'
    )
    server.create(person("bob"), _node("node2", labels=steering))


def test_a_node_writes_its_pods_only(server: Server) -> None:
    mine, other = pod("a"), pod("b", node="node2")
    server.update(NODE1, {**mine, "status": {"phase": "Running"}}, mine, "status")
    assert _refused(lambda: server.update(NODE1, other, other, "status")) == (
        'node "node1" can only update pod status for pods with spec.nodeName set to itself'
    )
    labelled = {**mine, "metadata": {**mine["metadata"], "labels": {"app": "x"}}}
    assert _refused(lambda: server.update(NODE1, labelled, mine, "status")) == (
        'node "node1" cannot update labels through pod status'
    )
    assert "can only create and delete mirror pods" in _refused(lambda: server.update(NODE1, labelled, mine))
    assert "unexpected pod subresource" in _refused(lambda: server.update(NODE1, mine, mine, "ephemeralcontainers"))
    server.delete(NODE1, mine)
    assert _refused(lambda: server.delete(NODE1, other)).startswith('node "node1" can only delete pods')


def test_mirror_pods(server: Server) -> None:
    server.put(_node("node1", "right"))
    owner = {"apiVersion": "v1", "kind": "Node", "name": "node1", "uid": "right", "controller": True}

    def mirror(**changes: Any) -> dict[str, Any]:
        made = pod("a")
        made["metadata"] |= {"annotations": {"kubernetes.io/config.mirror": "x"}, "ownerReferences": [owner | changes]}
        return made

    server.create(NODE1, mirror())
    assert "annotation" in _refused(lambda: server.create(NODE1, pod("a")))
    assert "an owner reference set to itself" in _refused(lambda: server.create(NODE1, mirror(name="node2")))
    assert "UID mismatch: expected right got wrong" in _refused(lambda: server.create(NODE1, mirror(uid="wrong")))
    assert "blockOwnerDeletion" in _refused(lambda: server.create(NODE1, mirror(blockOwnerDeletion=True)))
    assert "controller owner" in _refused(lambda: server.create(NODE1, mirror(controller=False)))


def test_leases_and_evictions(server: Server) -> None:
    def lease(name: str) -> dict[str, Any]:
        return {"kind": "Lease", "metadata": {"name": name, "namespace": "kube-node-lease"}}

    server.create(NODE1, lease("node1"))
    assert "same name" in _refused(lambda: server.create(NODE1, lease("node2")))
    from weft.apiserver.kinds import pods

    server.control.admit_eviction(pods.KIND, pod("a"), NODE1)
    assert "can only evict" in _refused(lambda: server.control.admit_eviction(pods.KIND, pod("a"), NODE2))


def test_a_nameless_node_writes_nothing(server: Server) -> None:
    nameless = node_user("")
    assert "could not determine node" in _refused(lambda: server.create(nameless, pod("a")))
    assert not server.may(nameless, "list", "services")
