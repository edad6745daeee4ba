"""serviceaccounts/NAME/token: a token for a ServiceAccount that dies with what it is bound to (KEP-1205)."""

import datetime
from typing import TYPE_CHECKING, Any

from weft.apiserver.auth.access import User
from weft.apiserver.auth.identity import node_of
from weft.apiserver.auth.refusal import forbidden
from weft.apiserver.auth.tokens.claims import Binding, Reference
from weft.apiserver.auth.tokens.issuer import Tokens
from weft.apiserver.registry.failures import bad_request, conflict, invalid, not_found
from weft.apiserver.registry.kind import FieldError, Object, quoted
from weft.cluster.objects.resource import NODES, PODS, SECRETS, SERVICE_ACCOUNTS, Resource

if TYPE_CHECKING:  # admission itself imports auth.access
    from weft.apiserver.registry.admission import Reader

TOKEN_REQUEST = Resource("authentication.k8s.io", "v1", "TokenRequest", "TokenRequest")
"""Its plural is the kind: that is how conflicts about it are worded."""
_DEFAULT_SECONDS = 3600
_SHORTEST = 600
_LONGEST = 1 << 32

# The kubelet asks for tokens of an hour and seven seconds for pods that did not ask for any, which may hold clients
# that never read the file again: such a token lives for a year, and says after which time its use is a sign of that.
_PROJECTED_SECONDS = 3607
_EXTENDED_SECONDS = 365 * 24 * 3600


def request_token(
    user: User, namespace: str, name: str, body: Object, tokens: Tokens, reader: "Reader", now: float
) -> Object:
    """The TokenRequest with its status. Raises NotFound, Invalid, Conflict, BadRequest or Forbidden."""
    metadata, spec = dict(body.get("metadata") or {}), dict(body.get("spec") or {})
    _check_names(metadata, namespace, name)
    account = reader.get(SERVICE_ACCOUNTS, name, namespace)
    if account is None:
        raise not_found(SERVICE_ACCOUNTS, name)
    uid = account["metadata"].get("uid", "")
    if metadata.get("uid") and metadata["uid"] != uid:
        why = f"the UID in the token request ({metadata['uid']}) does not match the UID of the service account ({uid})"
        raise conflict(TOKEN_REQUEST, name, why)
    spec["audiences"] = list(spec.get("audiences") or tokens.audiences)
    if spec.get("expirationSeconds") is None:
        spec["expirationSeconds"] = _DEFAULT_SECONDS
    seconds = spec["expirationSeconds"]
    _check_seconds(seconds)
    reference = spec.get("boundObjectRef") or None
    if (node := node_of(user)) is not None:
        _check_node(node, reference, namespace, name, reader)
    binding = _binding(namespace, name, uid, reference, reader)
    lifetime = seconds
    if binding.pod and seconds == _PROJECTED_SECONDS and set(spec["audiences"]) <= set(tokens.audiences):
        lifetime = _EXTENDED_SECONDS
        binding = Binding(
            namespace, binding.node, binding.pod, None, binding.serviceaccount, warnafter=int(now) + seconds
        )
    token = tokens.issue(binding, spec["audiences"], lifetime)
    metadata |= {"name": name, "namespace": namespace, "uid": uid, "creationTimestamp": _time(now)}
    spec["boundObjectRef"] = reference
    return {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": metadata,
        "spec": spec,
        "status": {"token": token, "expirationTimestamp": _time(now + seconds)},
    }


def _check_names(metadata: Object, namespace: str, name: str) -> None:
    for field, wanted in (("name", name), ("namespace", namespace)):
        given = metadata.get(field)
        if given and given != wanted:
            why = f"must match the service account {field} if specified"
            raise invalid(TOKEN_REQUEST, name, [FieldError("FieldValueInvalid", f"metadata.{field}", why, given)])


def _check_seconds(seconds: Any) -> None:
    limit = ""
    if seconds < _SHORTEST:
        limit = "may not specify a duration less than 10 minutes"
    elif seconds > _LONGEST:
        limit = "may not specify a duration larger than 2^32 seconds"
    if limit:
        raise invalid(TOKEN_REQUEST, "", [FieldError("FieldValueInvalid", "spec.expirationSeconds", limit, seconds)])


def _binding(namespace: str, name: str, uid: str, reference: Object | None, reader: "Reader") -> Binding:
    account = Reference(name, uid)
    if reference is None:
        return Binding(namespace, serviceaccount=account)
    kind, group = reference.get("kind", ""), (reference.get("apiVersion") or "").rpartition("/")[0]
    resource = {"Pod": PODS, "Secret": SECRETS, "Node": NODES}.get(kind) if not group else None
    if resource is None:
        version = (reference.get("apiVersion") or "").rpartition("/")[2]
        raise bad_request(f"cannot bind token to object of type {group}/{version}, Kind={kind}")
    bound = _bound(resource, reference, namespace, reader)
    found = Reference(bound["metadata"]["name"], bound["metadata"].get("uid", ""))
    node = None
    if kind == "Pod":
        spec = bound.get("spec") or {}
        if spec.get("serviceAccountName") != name:
            raise bad_request(
                f"cannot bind token for serviceaccount {quoted(name)} "
                "to pod running with different serviceaccount name."
            )
        node = _node_of_pod(spec.get("nodeName") or "", reader)
    if reference.get("uid") and reference["uid"] != found.uid:
        raise conflict(_by_kind(resource), reference.get("name", ""), _other_uid(reference["uid"]))
    return Binding(
        namespace,
        pod=found if kind == "Pod" else None,
        secret=found if kind == "Secret" else None,
        node=found if kind == "Node" else node,
        serviceaccount=account,
    )


def _bound(resource: Resource, reference: Object, namespace: str, reader: "Reader") -> Object:
    name = reference.get("name") or ""
    found = reader.get(resource, name, namespace if resource.namespaced else "")
    if found is None:
        raise not_found(resource, name)
    return found


def _node_of_pod(name: str, reader: "Reader") -> Reference | None:
    if not name:
        return None
    node = reader.get(NODES, name)
    return Reference(name, node["metadata"].get("uid", "") if node else "")


def _check_node(node: str, reference: Object | None, namespace: str, account: str, reader: "Reader") -> None:
    """A node gets tokens for its own pods only (admission plug-in NodeRestriction)."""

    def refused(why: str) -> Exception:
        return forbidden("", "serviceaccounts", account, why)

    if not reference or reference.get("apiVersion") != "v1" or reference.get("kind") != "Pod":
        raise refused("node requested token not bound to a pod")
    if not reference.get("name"):
        raise refused("node requested token not bound to a pod")
    if not reference.get("uid"):
        raise refused("node requested token with a pod binding without a uid")
    pod = _bound(PODS, reference, namespace, reader)
    if pod["metadata"].get("uid") != reference["uid"]:
        raise refused(_other_uid(reference["uid"]))
    if (pod.get("spec") or {}).get("nodeName") != node:
        raise refused("node requested token bound to a pod scheduled on a different node")


def _by_kind(resource: Resource) -> Resource:
    """The resource with its kind for a plural, as conflicts about bound objects name them."""
    return Resource(resource.group, resource.version, resource.kind, resource.kind, resource.namespaced)


def _other_uid(uid: str) -> str:
    return (
        f"the UID in the bound object reference ({uid}) does not match the UID in record. "
        "The object might have been deleted and then recreated"
    )


def _time(moment: float) -> str:
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
