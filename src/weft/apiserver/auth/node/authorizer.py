"""What nodes may do: their own Node, their pods, and what those pods refer to ("Using Node Authorization"). Pure."""

from collections import Counter

from weft.apiserver.auth.access import Attributes, Decision, User
from weft.apiserver.auth.identity import node_of
from weft.apiserver.auth.node.references import Reference, references
from weft.apiserver.auth.rbac.rule import Rule
from weft.apiserver.registry.kind import Object, quoted

NODE_LEASES = "kube-node-lease"
_NO_OPINION = Decision(False)
_ALLOWED = Decision(True)
_READ = ("get", "list", "watch")
_BY_REFERENCE = frozenset({"secrets", "configmaps", "persistentvolumeclaims", "serviceaccounts"})


class NodeAuthorizer:
    """Has no opinion about users that are not nodes. `rules` hold for all nodes where nothing here says more."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self._rules = rules
        self._pods: dict[tuple[str, str], tuple[str, int, frozenset[Reference]]] = {}
        """(namespace, name) → node, number of ephemeral containers, references: what may change once it is bound."""
        self._readers: dict[Reference, Counter[str]] = {}
        """Object → node → how many of the node's pods refer to it."""

    def put(self, pod: Object) -> None:
        spec = pod.get("spec") or {}
        node, debuggers = spec.get("nodeName") or "", len(spec.get("ephemeralContainers") or ())
        key = (pod["metadata"]["namespace"], pod["metadata"]["name"])
        old = self._pods.get(key)
        if old and old[:2] == (node, debuggers):
            return
        self.remove(pod)
        if node:
            found = references(pod)
            self._pods[key] = (node, debuggers, found)
            for reference in found:
                self._readers.setdefault(reference, Counter())[node] += 1

    def remove(self, pod: Object) -> None:
        old = self._pods.pop((pod["metadata"]["namespace"], pod["metadata"]["name"]), None)
        if old is None:
            return
        node, _, found = old
        for reference in found:
            readers = self._readers[reference]
            readers[node] -= 1
            if not readers[node]:
                del readers[node]
            if not readers:
                del self._readers[reference]

    def authorize(self, user: User, attributes: Attributes) -> Decision:
        node = node_of(user)
        if node is None:
            return _NO_OPINION
        if not node:
            return Decision(False, f"unknown node for user {quoted(user.name)}")
        match attributes.group, attributes.resource:
            case "", resource if resource in _BY_REFERENCE:
                return self._by_reference(node, attributes)
            case "", "nodes":
                return _node(node, attributes)
            case "", "pods":
                return self._pod(node, attributes)
            case "coordination.k8s.io", "leases":
                return _lease(node, attributes)
        return _ALLOWED if any(rule.allows(attributes) for rule in self._rules) else _NO_OPINION

    def _by_reference(self, node: str, asked: Attributes) -> Decision:
        if asked.resource == "serviceaccounts" and (asked.verb != "get" or asked.subresource):
            if asked.verb != "create" or not asked.name:
                return Decision(False, "can only create tokens for individual service accounts")
            if asked.subresource != "token":
                return Decision(False, "can only create token subresource of serviceaccount")
            return self._related(node, asked)
        verbs = ("get",) if asked.resource == "persistentvolumeclaims" else _READ
        if asked.verb not in verbs:
            return Decision(False, "can only read resources of this type")
        if asked.subresource:
            return Decision(False, "cannot read subresource")
        if not asked.namespace:
            return Decision(False, "can only read namespaced object of this type")
        return self._related(node, asked)

    def _related(self, node: str, asked: Attributes) -> Decision:
        if not asked.name:
            return Decision(False, "No Object name found")
        if node in self._readers.get((asked.resource, asked.namespace, asked.name), ()):
            return _ALLOWED
        return Decision(False, f"no relationship found between node '{node}' and this object")

    def _pod(self, node: str, asked: Attributes) -> Decision:
        match asked.subresource, asked.verb:
            case "", "get":
                return self._related(node, asked)
            case "", "list" | "watch":
                if ("spec.nodeName", node) in asked.field_selector:
                    return _ALLOWED
                if asked.name:
                    return self._related(node, asked)
                return Decision(False, "can only list/watch pods with spec.nodeName field selector")
            # NodeRestriction sees to it that these are the node's own.
            case ("", "create" | "delete") | ("status", "update" | "patch") | ("eviction", "create"):
                return _ALLOWED
        return _NO_OPINION


def _node(node: str, asked: Attributes) -> Decision:
    match asked.subresource, asked.verb:
        case ("", "create" | "update" | "patch") | ("status", "update" | "patch"):
            return _ALLOWED
        case "", "get" | "list" | "watch":
            if asked.name == node:
                return _ALLOWED
            what = f"'{asked.name}'" if asked.name else "all nodes"
            return Decision(False, f"node '{node}' cannot read {what}, only its own Node object")
    return _NO_OPINION


def _lease(node: str, asked: Attributes) -> Decision:
    if asked.verb not in ("get", "create", "update", "patch", "delete"):
        return Decision(False, "can only get, create, update, patch, or delete a node lease")
    if asked.namespace != NODE_LEASES:
        return Decision(False, f"can only access leases in the {quoted(NODE_LEASES)} system namespace")
    if asked.verb != "create" and asked.name != node:
        return Decision(False, "can only access node lease with the same name as the requesting node")
    return _ALLOWED
