"""/api, /apis, /apis/GROUP and /apis/GROUP/VERSION, one document each (API concepts, "Unaggregated discovery")."""

from collections.abc import Iterable
from typing import Any

from weft.apiserver.discovery.listing import group_versions, subresources
from weft.apiserver.registry.kind import Kind, Object, Subresource


def api_versions(server_address: str) -> Object:
    """/api. `server_address`: host:port that clients reach."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": server_address}],
    }


def api_group_list(kinds: Iterable[Kind]) -> Object:
    """/apis."""
    groups = [_group(name, versions) for name, versions in group_versions(kinds).items() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def api_group(kinds: Iterable[Kind], name: str) -> Object | None:
    """/apis/GROUP; None where no kind is of that group."""
    versions = group_versions(kinds).get(name)
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)} if name and versions else None


def api_resource_list(kinds: Iterable[Kind], group: str, version: str) -> Object | None:
    """/api/v1 and /apis/GROUP/VERSION; None where nothing is served there."""
    served = group_versions(kinds).get(group, {}).get(version)
    if not served:
        return None
    resources: list[Object] = []
    for kind in served:
        resources.append(_resource(kind))
        resources += [_subresource(kind, sub) for sub in subresources(kind)]
    name = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": resources}


def _group(name: str, versions: Iterable[str]) -> Object:
    entries = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": entries, "preferredVersion": entries[0]}


def _resource(kind: Kind) -> Object:
    resource = kind.resource
    found: dict[str, Any] = {
        "name": resource.plural,
        "singularName": kind.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": sorted(kind.verbs),
    }
    if kind.short_names:
        found["shortNames"] = list(kind.short_names)
    if kind.categories:
        found["categories"] = list(kind.categories)
    return found


def _subresource(kind: Kind, sub: Subresource) -> Object:
    found: dict[str, Any] = {
        "name": f"{kind.resource.plural}/{sub.name}",
        "singularName": "",
        "namespaced": kind.resource.namespaced,
    }
    if sub.version:
        found |= {"group": sub.group, "version": sub.version}
    return {**found, "kind": sub.kind, "verbs": list(sub.verbs)}
