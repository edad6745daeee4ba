"""New nodes are tainted until somebody has seen them ready (plugin/pkg/admission/nodetaint, TaintNodesByCondition)."""

from weft.apiserver.registry.admission import Context, Passive
from weft.apiserver.registry.kind import Kind, Object
from weft.cluster.objects.resource import NODES

NOT_READY = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}


class NodeAdmission(Passive):
    def admit_create(self, kind: Kind, obj: Object, context: Context) -> None:
        if kind.resource != NODES or context.subresource:
            return
        taints = obj.setdefault("spec", {}).setdefault("taints", [])
        wanted = (NOT_READY["key"], NOT_READY["effect"])
        if wanted not in [(taint.get("key"), taint.get("effect")) for taint in taints]:
            taints.append(dict(NOT_READY))
