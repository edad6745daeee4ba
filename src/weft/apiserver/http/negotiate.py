"""In which form a client wants its reply (the Accept header). Pure."""

from dataclasses import dataclass
from typing import Literal

from weft.apiserver.registry import failures

Form = Literal["object", "table", "partial", "partial_list"]

ACCEPTED = ("application/json", "application/yaml")
"""What 406 lists."""
_JSON = ("application/json", "application/*", "*/*")
_PROFILES: dict[str, Form] = {
    "Table": "table",
    "PartialObjectMetadata": "partial",
    "PartialObjectMetadataList": "partial_list",
}


@dataclass(frozen=True, slots=True)
class Output:
    form: Form = "object"
    media: Literal["json", "yaml"] = "json"


JSON = Output()


def negotiate(accept: str, *, profiles: bool = True) -> Output:
    """The first of the client's wishes, by weight, that can be served. Raises ApiError 406.

    `profiles`: whether Table and PartialObjectMetadata are on offer (not for subresources of another kind).
    """
    if not accept or accept in ("application/json", "*/*"):
        return JSON
    for media, parameters in _clauses(accept):
        output = _output(media, parameters, profiles)
        if output is not None:
            return output
    raise failures.not_acceptable(ACCEPTED)


def _clauses(accept: str) -> list[tuple[str, dict[str, str]]]:
    clauses: list[tuple[float, str, dict[str, str]]] = []
    for clause in accept.split(","):
        media, *rest = (part.strip() for part in clause.split(";"))
        parameters = dict(part.split("=", 1) for part in rest if "=" in part)
        try:
            weight = float(parameters.pop("q", 1))
        except ValueError:
            weight = 0
        if weight > 0:
            clauses.append((-weight, media.lower(), parameters))
    clauses.sort(key=lambda clause: clause[0])
    return [(media, parameters) for _, media, parameters in clauses]


def _output(media: str, parameters: dict[str, str], profiles: bool) -> Output | None:
    kind: Literal["json", "yaml"]
    if media in _JSON:
        kind = "json"
    elif media == "application/yaml":
        kind = "yaml"
    else:
        return None
    wanted = parameters.get("as")
    if wanted is None:
        return Output("object", kind)
    form = _PROFILES.get(wanted)
    fits = parameters.get("g") == "meta.k8s.io" and parameters.get("v") == "v1"
    return Output(form, kind) if form and fits and profiles else None
