"""`kubectl get ingresses`."""

from typing import Any

from weft.apiserver.registry.kind import Column, Object
from weft.apiserver.tables.ages import created
from weft.apiserver.tables.cells import AGE, NAME, NONE, balancer_addresses

COLUMNS = (NAME, Column("Class"), Column("Hosts"), Column("Address"), Column("Ports"), AGE)
_SHOWN = 3


def row(ingress: Object, now: float) -> list[Any]:
    spec = ingress.get("spec", {})
    return [
        ingress["metadata"].get("name", ""),
        spec.get("ingressClassName", NONE),
        _hosts(spec.get("rules") or []),
        balancer_addresses(ingress.get("status", {})),
        "80, 443" if spec.get("tls") else "80",
        created(ingress, now),
    ]


def _hosts(rules: list[Object]) -> str:
    hosts: list[str] = []
    more = False
    for rule in rules:
        more = more or len(hosts) == _SHOWN
        if not more and rule.get("host"):
            hosts.append(rule["host"])
    text = ",".join(hosts) or "*"
    return f"{text} + {len(rules) - _SHOWN} more..." if more else text
