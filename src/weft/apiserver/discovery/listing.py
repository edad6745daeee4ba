"""The kinds by group and version, and their subresources, in the order in which discovery shows them."""

from collections.abc import Iterable

from weft.apiserver.registry.kind import Kind, Subresource

_READ_WRITE = ("get", "patch", "update")


def group_versions(kinds: Iterable[Kind]) -> dict[str, dict[str, list[Kind]]]:
    """group → version → kinds by plural name. Groups and versions stay in the order of the kinds."""
    found: dict[str, dict[str, list[Kind]]] = {}
    for kind in kinds:
        found.setdefault(kind.resource.group, {}).setdefault(kind.resource.version, []).append(kind)
    for versions in found.values():
        for served in versions.values():
            served.sort(key=lambda kind: kind.resource.plural)
    return found


def subresources(kind: Kind) -> list[Subresource]:
    """Those that the kind declares, status and scale, by name."""
    found = list(kind.subresources)
    if kind.status:
        found.append(Subresource("status", kind.resource.kind, _READ_WRITE))
    if kind.scale:
        found.append(Subresource("scale", "Scale", _READ_WRITE, "autoscaling", "v1"))
    return sorted(found, key=lambda sub: sub.name)
