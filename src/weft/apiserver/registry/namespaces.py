"""Namespaces as admission and as objects: nothing is created where none is, or in one that ends (NamespaceLifecycle).

A namespace ends in two steps: DELETE marks it Terminating, and when the namespace controller has emptied it, it takes
`kubernetes` out of spec.finalizers by the finalize subresource, which removes it.
"""

from weft.apiserver.registry import failures
from weft.apiserver.registry.admission import Context, Passive
from weft.apiserver.registry.deletion import Outcome
from weft.apiserver.registry.kind import Kind, Object
from weft.apiserver.registry.metadata import stamp
from weft.cluster.objects.resource import NAMESPACES

_IMMORTAL = frozenset({"default", "kube-system", "kube-public"})


class NamespaceLifecycle(Passive):
    def admit_create(self, kind: Kind, obj: Object, context: Context) -> None:
        if not kind.resource.namespaced:
            return
        name = obj["metadata"]["namespace"]
        namespace = context.reader.get(NAMESPACES, name)
        if namespace is None:
            raise failures.not_found(NAMESPACES, name)
        if "deletionTimestamp" in namespace["metadata"]:
            cause = {
                "reason": "NamespaceTerminating",
                "message": f"namespace {name} is being terminated",
                "field": "metadata.namespace",
            }
            why = f"unable to create new content in namespace {name} because it is being terminated"
            raise failures.forbidden(kind.resource, obj["metadata"]["name"], why, [cause])

    def admit_delete(self, kind: Kind, old: Object, context: Context) -> None:
        name = old["metadata"]["name"]
        if kind.resource == NAMESPACES and name in _IMMORTAL:
            raise failures.forbidden(NAMESPACES, name, "this namespace may not be deleted")


def decide(outcome: Outcome, before: Object, now: float) -> Outcome:
    """What the deletion of a namespace, otherwise decided, comes to: first it becomes Terminating."""
    namespace = outcome.obj
    namespace["metadata"].setdefault("deletionTimestamp", stamp(now))
    namespace.setdefault("status", {})["phase"] = "Terminating"
    if outcome.action == "remove" and not (namespace.get("spec") or {}).get("finalizers"):
        return outcome
    return Outcome("nothing" if namespace == before else "mark", namespace)


def ended(namespace: Object) -> bool:
    """Whether nothing keeps a marked namespace any longer."""
    return (
        "deletionTimestamp" in namespace["metadata"]
        and not (namespace.get("spec") or {}).get("finalizers")
        and not namespace["metadata"].get("finalizers")
    )
