"""What a new pod gets beyond its defaults: its ServiceAccount with a mounted token, tolerations, a priority.

Upstream: plugin/pkg/admission/{serviceaccount,defaulttolerationseconds,priority}.
"""

from random import Random
from typing import Any

from weft.apiserver.registry.admission import Context, Passive
from weft.apiserver.registry.failures import forbidden
from weft.apiserver.registry.kind import Kind, Object
from weft.cluster.objects.resource import PODS, SERVICE_ACCOUNTS

TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN_SECONDS = 3607
"""An hour and a mark: upstream tells by it the tokens that it mounted itself."""
_VOLUME = "kube-api-access-"
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_MIRROR = "kubernetes.io/config.mirror"
_TOLERATED = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_TOLERATION_SECONDS = 300
_PRIORITIES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}


class PodAdmission(Passive):
    def __init__(self, rng: Random | None = None) -> None:
        self._random = rng or Random()

    def admit_create(self, kind: Kind, obj: Object, context: Context) -> None:
        if kind.resource != PODS or context.subresource:
            return
        tolerate(obj["spec"])
        prioritize(obj["spec"])
        if _MIRROR in obj["metadata"].get("annotations", {}):
            self._refuse_references(obj)
        else:
            self._give_account(obj, context)

    def _give_account(self, pod: Object, context: Context) -> None:
        spec = pod["spec"]
        name = spec.get("serviceAccountName") or "default"
        spec["serviceAccountName"] = spec["serviceAccount"] = name
        namespace = pod["metadata"]["namespace"]
        account = context.reader.get(SERVICE_ACCOUNTS, name, namespace)
        if account is None:
            why = f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found'
            raise forbidden(PODS, pod["metadata"].get("name", ""), why)
        if spec.get("automountServiceAccountToken", account.get("automountServiceAccountToken", True)):
            mount_token(spec, _VOLUME + "".join(self._random.choices(_LETTERS, k=5)))
        if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
            spec["imagePullSecrets"] = [{"name": secret["name"]} for secret in account["imagePullSecrets"]]

    def _refuse_references(self, pod: Object) -> None:
        """Mirror pods may reach nothing of the cluster's."""
        spec = pod["spec"]
        volumes = spec.get("volumes", ())
        sources = [source for volume in volumes for source in volume.get("projected", {}).get("sources", ())]
        if spec.get("serviceAccountName"):
            why = "a mirror pod may not reference service accounts"
        elif any("secret" in volume for volume in (*volumes, *sources)):
            why = "a mirror pod may not reference secrets"
        elif any("serviceAccountToken" in source for source in sources):
            why = "a mirror pod may not use ServiceAccountToken volume projections"
        else:
            return
        raise forbidden(PODS, pod["metadata"].get("name", ""), why)


def mount_token(spec: Object, name: str) -> None:
    """Mount the projected volume `name` in every container that has nothing else at its path."""
    volumes = spec.setdefault("volumes", [])
    present = next((volume["name"] for volume in volumes if volume["name"].startswith(_VOLUME)), "")
    mounted = False
    for container in (*spec.get("initContainers", ()), *spec.get("containers", ())):
        mounts = container.setdefault("volumeMounts", [])
        if any(mount["mountPath"] == TOKEN_PATH for mount in mounts):
            continue
        mounts.append({"name": present or name, "readOnly": True, "mountPath": TOKEN_PATH})
        mounted = True
    if mounted and not present:
        volumes.append({"name": name, "projected": token_source()})
    if not volumes:
        del spec["volumes"]


def token_source() -> dict[str, Any]:
    """Token, CA certificate and namespace, as client libraries look for them."""
    return {
        "defaultMode": 0o644,
        "sources": [
            {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {
                "downwardAPI": {
                    "items": [
                        {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
                    ]
                }
            },
        ],
    }


def tolerate(spec: Object) -> None:
    """Stay five minutes on a node that is not ready or unreachable, unless the pod says otherwise."""
    for key in _TOLERATED:
        tolerations = spec.get("tolerations", [])
        if any(
            each.get("key", "") in (key, "") and each.get("effect", "") in ("NoExecute", "") for each in tolerations
        ):
            continue
        toleration = {"key": key, "operator": "Exists", "effect": "NoExecute"}
        spec["tolerations"] = [*tolerations, {**toleration, "tolerationSeconds": _TOLERATION_SECONDS}]


def prioritize(spec: Object) -> None:
    """Only the two classes that every cluster has are known; PriorityClass is not served yet."""
    spec.setdefault("priority", _PRIORITIES.get(spec.get("priorityClassName", ""), 0))
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
