"""The quality-of-service class of a pod ("Pod Quality of Service Classes")."""

from weft.apiserver.registry.kind import Object
from weft.apiserver.schema.quantity import parse_quantity

_RESOURCES = ("cpu", "memory")


def qos_class(spec: Object) -> str:
    """Guaranteed, Burstable or BestEffort. Quantities that do not parse count as unset."""
    everyone = (*spec.get("containers", ()), *spec.get("initContainers", ()))
    sets = [container.get("resources", {}) for container in everyone]
    if spec.get("resources", {}).get("limits") or spec.get("resources", {}).get("requests"):
        sets = [spec["resources"]]
    if not any(_some(each, part) for each in sets for part in ("requests", "limits")):
        return "BestEffort"
    return "Guaranteed" if all(_guaranteed(each) for each in sets) else "Burstable"


def _some(resources: Object, part: str) -> bool:
    return any(_positive(resources, part, name) for name in _RESOURCES)


def _guaranteed(resources: Object) -> bool:
    return all(
        _positive(resources, "limits", name)
        and resources.get("requests", {}).get(name, resources["limits"][name]) == resources["limits"][name]
        for name in _RESOURCES
    )


def _positive(resources: Object, part: str, name: str) -> bool:
    text = resources.get(part, {}).get(name)
    try:
        return text is not None and parse_quantity(text) > 0
    except ValueError:
        return False
