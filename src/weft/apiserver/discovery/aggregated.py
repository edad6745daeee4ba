"""All of discovery in two documents, /api and /apis (API concepts, "Aggregated discovery"; KEP-3352)."""

from collections.abc import Iterable
from typing import Any, Literal

from weft.apiserver.discovery.listing import group_versions, subresources
from weft.apiserver.registry.kind import Kind, Object

Version = Literal["v2", "v2beta1"]


def api_group_discovery_list(kinds: Iterable[Kind], path: Literal["/api", "/apis"], version: Version) -> Object:
    """APIGroupDiscoveryList of the core group (/api) or of all others (/apis)."""
    items = [
        {
            "metadata": {"name": group} if group else {},
            "versions": [
                {"version": name, "resources": [_resource(kind) for kind in served], "freshness": "Current"}
                for name, served in versions.items()
            ],
        }
        for group, versions in group_versions(kinds).items()
        if (path == "/api") == (group == "")
    ]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{version}",
        "metadata": {},
        "items": items,
    }


def content_type(version: Version) -> str:
    return f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"


def accepted_version(accept: str) -> Version | None:
    """The aggregated form that an Accept header prefers, None for the unaggregated one."""
    for entry in accept.split(","):
        media, *parameters = (part.strip() for part in entry.split(";"))
        wanted = dict(part.split("=", 1) for part in parameters if "=" in part)
        if media not in ("application/json", "*/*", "application/*"):
            continue
        if wanted.get("as") != "APIGroupDiscoveryList":
            return None
        if wanted.get("g") == "apidiscovery.k8s.io":
            if wanted.get("v") == "v2":
                return "v2"
            if wanted.get("v") == "v2beta1":
                return "v2beta1"
    return None


def _resource(kind: Kind) -> Object:
    resource = kind.resource
    found: dict[str, Any] = {
        "resource": resource.plural,
        "responseKind": _response_kind(resource.kind),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": sorted(kind.verbs),
    }
    if kind.short_names:
        found["shortNames"] = list(kind.short_names)
    if kind.categories:
        found["categories"] = list(kind.categories)
    parts = [
        {
            "subresource": sub.name,
            "responseKind": _response_kind(sub.kind, sub.group, sub.version),
            "verbs": list(sub.verbs),
        }
        for sub in subresources(kind)
    ]
    return {**found, "subresources": parts} if parts else found


def _response_kind(kind: str, group: str = "", version: str = "") -> Object:
    """Empty group and version stand for the resource's own."""
    return {"group": group, "version": version, "kind": kind}
