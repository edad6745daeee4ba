"""What cells of several kinds have in common: labels, selectors, containers, lists that end in "+ 2 more..."."""

from collections.abc import Sequence
from typing import Any

from weft.apiserver.registry.kind import Column

NONE = "<none>"
NAME = Column("Name", format="name")
AGE = Column("Age")
_SHOWN = 3


def workload_columns() -> tuple[Column, ...]:
    return Column("Containers", priority=1), Column("Images", priority=1), Column("Selector", priority=1)


def labels(found: dict[str, str] | None) -> str:
    """`a=b,c=d`"""
    return ",".join(f"{key}={value}" for key, value in sorted((found or {}).items())) or NONE


def selector(found: dict[str, Any] | None) -> str:
    """A LabelSelector as selectors are written on the command line; "" where it selects everything."""
    found = found or {}
    parts = [(key, f"{key}={value}") for key, value in found.get("matchLabels", {}).items()]
    parts += [(each["key"], _requirement(each)) for each in found.get("matchExpressions", ())]
    return ",".join(text for _, text in sorted(parts))


def _requirement(requirement: dict[str, Any]) -> str:
    key, values = requirement["key"], ",".join(sorted(requirement.get("values") or ()))
    match requirement.get("operator"):
        case "In":
            return f"{key} in ({values})"
        case "NotIn":
            return f"{key} notin ({values})"
        case "DoesNotExist":
            return f"!{key}"
    return str(key)


def workload(spec: dict[str, Any]) -> list[str]:
    """Names, images and selector of a workload's spec."""
    containers = spec.get("template", {}).get("spec", {}).get("containers", [])
    names = ",".join(each.get("name", "") for each in containers)
    return [names, ",".join(each.get("image", "") for each in containers), selector(spec.get("selector"))]


def first_few(items: Sequence[str]) -> str:
    """The first three and how many more there are."""
    text = ",".join(items[:_SHOWN])
    return f"{text} + {len(items) - _SHOWN} more..." if len(items) > _SHOWN else text


def balancer_addresses(status: dict[str, Any]) -> str:
    """Of status.loadBalancer, sorted."""
    entries = status.get("loadBalancer", {}).get("ingress") or ()
    return ",".join(sorted({each.get("ip") or each.get("hostname", "") for each in entries} - {""}))
