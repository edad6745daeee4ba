"""The `paths` of an OpenAPI 3 document: which verbs a kind has where, with which parameters and bodies."""

from collections.abc import Iterable
from typing import Any

from weft.apiserver.discovery.listing import subresources
from weft.apiserver.registry.kind import Kind, Subresource

_REF = "#/components/schemas/"
_PATCHES = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)
_TYPES = ("application/json", "application/vnd.kubernetes.protobuf", "application/yaml")
_LIST = (
    ("allowWatchBookmarks", "boolean"),
    ("continue", "string"),
    ("fieldSelector", "string"),
    ("labelSelector", "string"),
    ("limit", "integer"),
    ("resourceVersion", "string"),
    ("resourceVersionMatch", "string"),
    ("sendInitialEvents", "boolean"),
    ("timeoutSeconds", "integer"),
    ("watch", "boolean"),
)
_WRITE = (("dryRun", "string"), ("fieldManager", "string"), ("fieldValidation", "string"))
_DELETE = (
    ("dryRun", "string"),
    ("gracePeriodSeconds", "integer"),
    ("orphanDependents", "boolean"),
    ("propagationPolicy", "string"),
)
_METHODS = (
    ("get", "get", "get", ()),
    ("put", "update", "put", _WRITE),
    ("patch", "patch", "patch", (*_WRITE, ("force", "boolean"))),
    ("delete", "delete", "delete", _DELETE),
)


def paths(kind: Kind, schema: str, schema_list: str) -> dict[str, Any]:
    """All paths of a kind; `schema` and `schema_list` name its definition and that of its list."""
    resource = kind.resource
    base = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    collection = f"{base}/namespaces/{{namespace}}" if resource.namespaced else base
    collection = f"{collection}/{resource.plural}"
    place = [_in_path("namespace")] if resource.namespaced else []
    found: dict[str, Any] = {collection: {**_collection(kind, schema, schema_list), "parameters": place}}
    if resource.namespaced and "list" in kind.verbs:
        found[f"{base}/{resource.plural}"] = {"get": _operation(kind, "get", "list", schema_list, _LIST)}
    item = _item(kind, schema, kind.verbs)
    if item:
        found[f"{collection}/{{name}}"] = {**item, "parameters": [_in_path("name"), *place]}
    for sub in subresources(kind):
        methods = _subresource(kind, sub, schema)
        if methods:
            found[f"{collection}/{{name}}/{sub.name}"] = {**methods, "parameters": [_in_path("name"), *place]}
    return {path: methods for path, methods in found.items() if methods.keys() - {"parameters"}}


def _collection(kind: Kind, schema: str, schema_list: str) -> dict[str, Any]:
    found = {}
    if "list" in kind.verbs:
        found["get"] = _operation(kind, "get", "list", schema_list, _LIST)
    if "create" in kind.verbs:
        found["post"] = _operation(kind, "post", "post", schema, _WRITE, body=schema)
    if "deletecollection" in kind.verbs:
        status = "io.k8s.apimachinery.pkg.apis.meta.v1.Status"
        found["delete"] = _operation(kind, "delete", "deletecollection", status, (*_LIST, *_DELETE))
    return found


def _item(kind: Kind, schema: str, verbs: Iterable[str]) -> dict[str, Any]:
    found = {}
    for method, verb, action, parameters in _METHODS:
        if verb in verbs:
            body = schema if method == "put" else ""
            found[method] = _operation(kind, method, action, schema, parameters, body=body)
    return found


def _subresource(kind: Kind, sub: Subresource, schema: str) -> dict[str, Any]:
    """Those whose kind is the resource's own; of the others only that they are there."""
    if sub.kind == kind.resource.kind:
        return _item(kind, schema, sub.verbs)
    method = {"create": "post", "update": "put"}
    return {
        method.get(verb, verb): {"responses": {"200": {"description": "OK"}}, **_gvk(kind, sub, "connect")}
        for verb in sub.verbs
    }


def _operation(
    kind: Kind, method: str, action: str, schema: str, parameters: Iterable[tuple[str, str]], *, body: str = ""
) -> dict[str, Any]:
    group = kind.resource.group.partition(".")[0] or "core"
    found: dict[str, Any] = {
        "tags": [f"{group}_{kind.resource.version}"],
        "parameters": [_in_query(name, type_) for name, type_ in parameters],
        "responses": {"200": {"description": "OK", "content": _content(_TYPES, schema)}},
        **_gvk(kind, None, action),
    }
    if method == "patch":
        found["requestBody"] = {
            "content": _content(_PATCHES, "io.k8s.apimachinery.pkg.apis.meta.v1.Patch"),
            "required": True,
        }
    elif body:
        found["requestBody"] = {"content": _content(_TYPES, body), "required": True}
    return found


def _gvk(kind: Kind, sub: Subresource | None, action: str) -> dict[str, Any]:
    resource = kind.resource
    group, version, name = resource.group, resource.version, resource.kind
    if sub:
        name = sub.kind
        if sub.version:
            group, version = sub.group, sub.version
    return {
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": {"group": group, "kind": name, "version": version},
    }


def _content(types: Iterable[str], schema: str) -> dict[str, Any]:
    return {type_: {"schema": {"$ref": _REF + schema}} for type_ in types}


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "uniqueItems": True}}


def _in_query(name: str, type_: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": {"type": type_, "uniqueItems": True}}
