"""`kubectl get controllerrevisions`."""

from typing import Any

from weft.apiserver.registry.kind import Column, Object
from weft.apiserver.tables.ages import created
from weft.apiserver.tables.cells import AGE, NAME, NONE

COLUMNS = (NAME, Column("Controller"), Column("Revision"), AGE)


def row(revision: Object, now: float) -> list[Any]:
    meta = revision["metadata"]
    return [meta.get("name", ""), _controller(meta), revision.get("revision", 0), created(revision, now)]


def _controller(meta: Object) -> str:
    """`daemonset.apps/agent`"""
    for owner in meta.get("ownerReferences", ()):
        if owner.get("controller"):
            group = owner["apiVersion"].rpartition("/")[0]
            kind = f"{owner['kind']}.{group}" if group else owner["kind"]
            return f"{kind.lower()}/{owner['name']}"
    return NONE
