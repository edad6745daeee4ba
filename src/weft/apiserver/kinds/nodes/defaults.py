"""Defaults of Nodes: what is allocatable is the capacity where nothing else is said."""

from weft.apiserver.registry.kind import Object


def default_node(node: Object) -> None:
    status = node.setdefault("status", {})
    if status.get("capacity") and not status.get("allocatable"):
        status["allocatable"] = dict(status["capacity"])
