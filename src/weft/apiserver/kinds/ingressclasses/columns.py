"""`kubectl get ingressclasses`."""

from typing import Any

from weft.apiserver.registry.kind import Column, Object
from weft.apiserver.tables.ages import created
from weft.apiserver.tables.cells import AGE, NAME, NONE

COLUMNS = (NAME, Column("Controller"), Column("Parameters"), AGE)
_DEFAULT = "ingressclass.kubernetes.io/is-default-class"


def row(ingress_class: Object, now: float) -> list[Any]:
    meta, spec = ingress_class["metadata"], ingress_class.get("spec", {})
    default = " (default)" if meta.get("annotations", {}).get(_DEFAULT) == "true" else ""
    parameters = spec.get("parameters")
    shown = NONE
    if parameters:
        group = f".{parameters['apiGroup']}" if "apiGroup" in parameters else ""
        shown = f"{parameters.get('kind', '')}{group}/{parameters.get('name', '')}"
    return [meta.get("name", "") + default, spec.get("controller", ""), shown, created(ingress_class, now)]
