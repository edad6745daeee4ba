"""OpenAPI documents: the index of /openapi/v3, one document per group version, and a small /openapi/v2.

`document` reads 1.6 MB of package data and takes some 30 ms: call it in a thread, keep its bytes.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from weft.apiserver.discovery.listing import group_versions
from weft.apiserver.openapi.definitions import RELEASE, Definitions, source
from weft.apiserver.openapi.paths import paths
from weft.apiserver.registry.kind import Kind

_INFO = {"title": "Kubernetes", "version": RELEASE}
_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_FORM = "2"
"""Changes when this package makes other documents of the same definitions."""

__all__ = ["document", "document_v2", "etag", "index"]


def index(kinds: Sequence[Kind]) -> bytes:
    """/openapi/v3: `{"paths": {"apis/apps/v1": {"serverRelativeURL": "/openapi/v3/apis/apps/v1?hash=…"}}}`."""
    found = {
        name: {"serverRelativeURL": f"/openapi/v3/{name}?hash={_hash(name, served)}"}
        for name, served in _documents(kinds).items()
    }
    return msgspec.json.encode({"paths": found})


def etag(kinds: Sequence[Kind], name: str) -> str | None:
    """The ETag of a document, quoted; the hash that the index gives. None where there is no such document."""
    served = _documents(kinds).get(name)
    return f'"{_hash(name, served)}"' if served else None


def document(kinds: Sequence[Kind], name: str) -> bytes | None:
    """/openapi/v3/NAME with NAME `api/v1`, `apis/apps/v1` …; None where nothing is served there."""
    served = _documents(kinds).get(name)
    if not served:
        return None
    definitions = Definitions()
    all_paths: dict[str, Any] = {}
    roots: list[str] = []
    for kind in served:
        schema, schema_list = _names(definitions, kind)
        all_paths |= paths(kind, schema, schema_list)
        roots += [schema, schema_list] if "list" in kind.verbs else [schema]
    resource = served[0].resource
    found = {
        "openapi": "3.0.0",
        "info": _INFO,
        "paths": all_paths,
        "components": {"schemas": definitions.closure(roots, {(resource.group, resource.version)})},
    }
    return msgspec.json.encode(found)


def document_v2() -> bytes:
    """/openapi/v2 as JSON: only that it is there; clients that know version 3 do not ask for it."""
    return msgspec.json.encode({"swagger": "2.0", "info": _INFO, "paths": {}, "definitions": {}})


def _names(definitions: Definitions, kind: Kind) -> tuple[str, str]:
    resource = kind.resource
    schema = definitions.name_of(resource.group, resource.version, resource.kind)
    if "list" not in kind.verbs:
        return schema, ""
    return schema, definitions.name_of(resource.group, resource.version, f"{resource.kind}List")


def _documents(kinds: Iterable[Kind]) -> dict[str, list[Kind]]:
    return {
        f"apis/{group}/{version}" if group else f"api/{version}": served
        for group, versions in group_versions(kinds).items()
        for version, served in versions.items()
    }


def _hash(name: str, served: Iterable[Kind]) -> str:
    described = [(kind.resource.kind, sorted(kind.verbs), kind.status, kind.scale) for kind in served]
    return sha256(f"{_FORM} {source()} {name} {described}".encode()).hexdigest().upper()
