"""Parts of an object that are written on their own: each is a function from the old object to the new one. Pure."""

from typing import Any

from weft.apiserver.registry import failures
from weft.apiserver.registry.kind import FieldError, Kind, Object
from weft.apiserver.registry.metadata import stamp
from weft.cluster.objects.resource import PODS, Resource

SCALE = Resource("autoscaling", "v1", "scales", "Scale")
BINDING = Resource("", "v1", "bindings", "Binding")
EVICTION = Resource("policy", "v1", "evictions", "Eviction")
TOKEN_REQUEST = Resource("authentication.k8s.io", "v1", "tokenrequests", "TokenRequest")


def scale_of(obj: Object) -> Object:
    """The Scale that stands for a workload."""
    meta = obj["metadata"]
    shown = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    status: Object = {"replicas": (obj.get("status") or {}).get("replicas", 0)}
    if selector := _selector_text((obj.get("spec") or {}).get("selector") or {}):
        status["selector"] = selector
    spec: Object = {}
    if replicas := (obj.get("spec") or {}).get("replicas"):
        spec["replicas"] = replicas
    return {
        "kind": "Scale",
        "apiVersion": SCALE.api_version,
        "metadata": {name: meta[name] for name in shown if name in meta},
        "spec": spec,
        "status": status,
    }


def scaled(obj: Object, scale: Object) -> Object:
    """The workload with the Scale's replicas. Raises ApiError 422."""
    meta = scale.get("metadata") or {}
    replicas: Any = (scale.get("spec") or {}).get("replicas") or 0
    if not isinstance(replicas, int) or replicas < 0:
        detail = "must be greater than or equal to 0"
        error = FieldError("FieldValueInvalid", "spec.replicas", detail, replicas)
        raise failures.invalid(SCALE, meta.get("name", ""), [error])
    for name in ("resourceVersion", "uid"):
        if meta.get(name):
            obj["metadata"][name] = meta[name]
    obj.setdefault("spec", {})["replicas"] = replicas
    return obj


def _selector_text(selector: Object) -> str:
    """A LabelSelector as the query string writes it."""
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for each in selector.get("matchExpressions") or []:
        key, values = each.get("key", ""), ",".join(sorted(each.get("values") or []))
        operator = each.get("operator")
        if operator in ("In", "NotIn"):
            parts.append(f"{key} {operator.lower()} ({values})")
        else:
            parts.append(key if operator == "Exists" else f"!{key}")
    return ",".join(parts)


def bound(pod: Object, binding: Object, now: float) -> Object:
    """The pod, assigned to the node that the Binding names (BindingREST). Raises ApiError."""
    name = pod["metadata"]["name"]
    target = binding.get("target") or {}
    errors: list[FieldError] = []
    if target.get("kind") not in (None, "", "Node"):
        detail = 'supported values: "Node", "<empty>"'
        errors.append(FieldError("FieldValueNotSupported", "target.kind", detail, target["kind"]))
    if not target.get("name"):
        errors.append(FieldError("FieldValueRequired", "target.name", ""))
    if errors:
        raise failures.without_reason("; ".join(f"{error.field}: {error.text()}" for error in errors))
    given = binding.get("metadata") or {}
    if given.get("uid") and given["uid"] != pod["metadata"]["uid"]:
        why = f"Precondition failed: UID in precondition: {given['uid']}, UID in object meta: {pod['metadata']['uid']}"
        raise failures.conflict(PODS, name, why)
    spec = pod.setdefault("spec", {})
    if "deletionTimestamp" in pod["metadata"]:
        why = f"pod {name} is being deleted, cannot be assigned to a host"
        raise failures.conflict(Resource("", "v1", "pods/binding", ""), name, why)
    if spec.get("nodeName"):
        why = f'pod {name} is already assigned to node "{spec["nodeName"]}"'
        raise failures.conflict(Resource("", "v1", "pods/binding", ""), name, why)
    if spec.get("schedulingGates"):
        why = f"pod {name} has non-empty .spec.schedulingGates"
        raise failures.conflict(Resource("", "v1", "pods/binding", ""), name, why)
    spec["nodeName"] = target["name"]
    for field in ("annotations", "labels"):
        if given.get(field):
            pod["metadata"][field] = {**(pod["metadata"].get(field) or {}), **given[field]}
    set_condition(pod, {"type": "PodScheduled", "status": "True", "lastTransitionTime": stamp(now)})
    return pod


def evicted(pod: Object, now: float) -> Object:
    """The pod with the condition that tells why it goes."""
    if "deletionTimestamp" not in pod["metadata"]:
        set_condition(
            pod,
            {
                "type": "DisruptionTarget",
                "status": "True",
                "lastTransitionTime": stamp(now),
                "reason": "EvictionByEvictionAPI",
                "message": "Eviction API: evicting",
            },
        )
    return pod


def set_condition(pod: Object, condition: Object) -> None:
    status = pod.setdefault("status", {})
    others = [each for each in status.get("conditions") or [] if each.get("type") != condition["type"]]
    status["conditions"] = [*others, condition]


def with_ephemeral_containers(old: Object, new: Object) -> Object:
    """The old pod with the new one's ephemeral containers: they can only be added. Raises ApiError 422."""
    wanted = (new.get("spec") or {}).get("ephemeralContainers") or []
    by_name = {each.get("name"): each for each in wanted}
    errors: list[FieldError] = []
    for each in (old.get("spec") or {}).get("ephemeralContainers") or []:
        path = "spec.ephemeralContainers"
        if each["name"] not in by_name:
            detail = f'existing ephemeral containers "{each["name"]}" may not be removed\n'
            errors.append(FieldError("FieldValueForbidden", path, detail))
        elif by_name[each["name"]] != each:
            detail = f'existing ephemeral containers "{each["name"]}" may not be changed\n'
            errors.append(FieldError("FieldValueForbidden", path, detail))
    if errors:
        raise failures.invalid(PODS, old["metadata"]["name"], errors)
    if wanted:
        old.setdefault("spec", {})["ephemeralContainers"] = wanted
    if version := (new.get("metadata") or {}).get("resourceVersion"):
        old["metadata"]["resourceVersion"] = version
    return old


def finalized(old: Object, new: Object) -> Object:
    """A namespace with the finalizers that its finalize subresource was sent."""
    old["spec"] = {**(old.get("spec") or {}), "finalizers": (new.get("spec") or {}).get("finalizers") or []}
    if version := (new.get("metadata") or {}).get("resourceVersion"):
        old["metadata"]["resourceVersion"] = version
    return old


def success(kind: Kind, code: int = 201) -> Object:
    """The Status that answers bindings and evictions."""
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": code}
