"""What nodes may write: themselves, their pods' status, their lease (admission plug-in NodeRestriction). Pure."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from weft.apiserver.auth.access import User
from weft.apiserver.auth.identity import node_of
from weft.apiserver.auth.node.authorizer import NODE_LEASES
from weft.apiserver.auth.refusal import forbidden
from weft.apiserver.registry.kind import Kind, Object, quoted
from weft.cluster.objects.resource import LEASES, NODES, PODS

if TYPE_CHECKING:  # admission itself imports auth.access
    from weft.apiserver.registry.admission import Context

_MIRROR = "kubernetes.io/config.mirror"
_KUBELET_LABELS = frozenset(
    {
        "kubernetes.io/hostname", "kubernetes.io/os", "kubernetes.io/arch",
        "beta.kubernetes.io/os", "beta.kubernetes.io/arch",
        "node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type",
        "topology.kubernetes.io/zone", "topology.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region",
    }
)  # fmt: skip


def check_write(kind: Kind, new: Object, old: Object | None, context: "Context") -> None:
    """Raises Forbidden where a node creates (`old` is None) or changes what is not its own. Others pass."""
    node = node_of(context.user)
    if node is None:
        return
    _named(kind, new, context.user, node)
    if kind.resource == PODS:
        why = _pod(node, new, old, context)
    elif kind.resource == NODES:
        why = _node(node, new, old)
    elif kind.resource == LEASES:
        why = _lease(node, new)
    else:
        why = ""
    if why:
        raise _refused(kind, old or new, why)


def check_delete(kind: Kind, old: Object, context: "Context") -> None:
    node = node_of(context.user)
    if node is None:
        return
    _named(kind, old, context.user, node)
    if kind.resource == PODS and _bound_to(old) != node:
        raise _refused(kind, old, f"node {quoted(node)} can only delete pods with spec.nodeName set to itself")
    if kind.resource == NODES and old["metadata"]["name"] != node:
        other = quoted(old["metadata"]["name"])
        raise _refused(kind, old, f"node {quoted(node)} is not allowed to modify node {other}")


def check_eviction(kind: Kind, pod: Object, user: User) -> None:
    node = node_of(user)
    if node is not None and _bound_to(pod) != node:
        raise _refused(kind, pod, f"node {node} can only evict pods with spec.nodeName set to itself")


def _named(kind: Kind, obj: Object, user: User, node: str) -> None:
    if not node:
        raise _refused(kind, obj, f"could not determine node from user {quoted(user.name)}")


def _refused(kind: Kind, obj: Object, why: str) -> Exception:
    return forbidden(kind.resource.group, kind.resource.plural, obj["metadata"].get("name", ""), why)


def _bound_to(pod: Object) -> str:
    return (pod.get("spec") or {}).get("nodeName") or ""


def _pod(node: str, new: Object, old: Object | None, context: "Context") -> str:
    who = f"node {quoted(node)}"
    if context.subresource not in ("", "status"):
        return f"unexpected pod subresource {quoted(context.subresource)}, only 'status' and 'eviction' are allowed"
    if old is None:
        return _new_pod(node, new, context)
    if context.subresource != "status":
        return f'unexpected operation "UPDATE", {who} can only create and delete mirror pods'
    if _bound_to(old) != node:
        return f"{who} can only update pod status for pods with spec.nodeName set to itself"
    if (old["metadata"].get("labels") or {}) != (new["metadata"].get("labels") or {}):
        return f"{who} cannot update labels through pod status"
    return ""


def _new_pod(node: str, pod: Object, context: "Context") -> str:
    who = f"node {quoted(node)}"
    if _MIRROR not in (pod["metadata"].get("annotations") or {}):
        return f"pod does not have {quoted(_MIRROR)} annotation, {who} can only create mirror pods"
    if _bound_to(pod) != node:
        return f"{who} can only create pods with spec.nodeName set to itself"
    owners = pod["metadata"].get("ownerReferences") or []
    if len(owners) > 1:
        return f"{who} can only create pods with a single owner reference set to itself"
    owner = owners[0] if owners else {}
    if (owner.get("apiVersion"), owner.get("kind"), owner.get("name")) != ("v1", "Node", node):
        return f"{who} can only create pods with an owner reference set to itself"
    if not owner.get("controller"):
        return f"{who} can only create pods with a controller owner reference set to itself"
    if owner.get("blockOwnerDeletion"):
        return f"{who} must not set blockOwnerDeletion on an owner reference"
    known = context.reader.get(NODES, node)
    if known is None or known["metadata"].get("uid") != owner.get("uid"):
        expected = known["metadata"].get("uid") if known else ""
        return f"node {node} UID mismatch: expected {expected} got {owner.get('uid', '')}"
    return ""


def _node(node: str, new: Object, old: Object | None) -> str:
    who, name = f"node {quoted(node)}", new["metadata"].get("name", "")
    if name != node:
        return f"{who} is not allowed to modify node {quoted(name)}"
    changed = _changed_labels(new, old)
    refused = sorted(label for label in changed if not _may_label(label))
    if old is None:
        return f"{who} is not allowed to set the following labels: {', '.join(refused)}" if refused else ""
    if ((new.get("spec") or {}).get("taints") or []) != ((old.get("spec") or {}).get("taints") or []):
        return f"{who} is not allowed to modify taints"
    if (new["metadata"].get("ownerReferences") or []) != (old["metadata"].get("ownerReferences") or []):
        return f"{who} is not allowed to modify ownerReferences"
    return f"is not allowed to modify labels: {', '.join(refused)}" if refused else ""


def _lease(node: str, new: Object) -> str:
    if new["metadata"].get("namespace") != NODE_LEASES:
        return f"can only access leases in the {quoted(NODE_LEASES)} system namespace"
    if new["metadata"].get("name") != node:
        return "can only access node lease with the same name as the requesting node"
    return ""


def _changed_labels(new: Object, old: Object | None) -> set[str]:
    after: Mapping[str, str] = new["metadata"].get("labels") or {}
    before: Mapping[str, str] = (old["metadata"].get("labels") or {}) if old else {}
    return {key for key in {*after, *before} if after.get(key) != before.get(key)}


def _may_label(key: str) -> bool:
    """A node may not steer workloads to itself with labels that belong to Kubernetes or to its administrators."""
    prefix, slash, _ = key.partition("/")
    if not slash or key in _KUBELET_LABELS:
        return True
    if _below(prefix, "node-restriction.kubernetes.io"):
        return False
    if _below(prefix, "kubelet.kubernetes.io") or _below(prefix, "node.kubernetes.io"):
        return True
    return not (_below(prefix, "kubernetes.io") or _below(prefix, "k8s.io"))


def _below(prefix: str, domain: str) -> bool:
    return prefix == domain or prefix.endswith(f".{domain}")
