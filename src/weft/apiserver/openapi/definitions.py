"""The API's definitions with their descriptions, from the data of PyPI `kubernetes-validate`, as OpenAPI 3 has them.

That package keeps JSON Schema that was made from upstream's OpenAPI: here nulls go out of the types, constants out of
`kind` and `apiVersion`, and references point to `#/components/schemas/`. The package itself is not imported.
"""

from collections.abc import Iterable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from weft.apiserver.schema.table import struct

RELEASE = "v1.36.0"
_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_META_PREFIX = "io.k8s.apimachinery.pkg.apis."
_REF = "#/$defs/"
_NEW_REF = "#/components/schemas/"
_INT_OR_STRING = {"oneOf": [{"type": ["string", "null"]}, {"type": ["integer", "null"]}]}
_ALWAYS = (f"{_META}DeleteOptions", f"{_META}Status", f"{_META}WatchEvent", f"{_META}Patch")


class _File(msgspec.Struct):
    definitions: dict[str, msgspec.Raw] = msgspec.field(name="$defs")


def source() -> str:
    """What the definitions are made of, for hashes."""
    return f"kubernetes-validate {version('kubernetes-validate')} {RELEASE}"


class Definitions:
    """The package's file, split by definition; only what is asked for gets decoded. Built in about 5 ms."""

    def __init__(self) -> None:
        self._raw = msgspec.json.decode(_path().read_bytes(), type=_File).definitions
        self._of_kind: dict[tuple[str, str, str], str] = {}
        for name, raw in self._raw.items():
            if b"x-kubernetes-group-version-kind" in bytes(raw):
                for entry in msgspec.json.decode(raw)["x-kubernetes-group-version-kind"]:
                    key = (entry["group"], entry["version"], entry["kind"])
                    self._of_kind.setdefault(key, name)

    def name_of(self, group: str, version: str, kind: str) -> str:
        """`io.k8s.api.apps.v1.Deployment`. Raises KeyError."""
        return self._of_kind[group, version, kind]

    def closure(self, roots: Iterable[str], group_versions: set[tuple[str, str]]) -> dict[str, Any]:
        """The definitions of `roots` and of all that they refer to, by name.

        Kinds that are in many groups (DeleteOptions) are told for `group_versions` only.
        """
        todo = [*roots, *(name for name in _ALWAYS if name in self._raw)]
        found: dict[str, Any] = {}
        while todo:
            name = todo.pop()
            if name not in found:
                found[name] = self._definition(name, group_versions)
                todo += _references(found[name])
        return dict(sorted(found.items()))

    def _definition(self, name: str, group_versions: set[tuple[str, str]]) -> Any:
        schema: Any = convert(msgspec.json.decode(self._raw[name]))
        _enumerate(name, schema.get("properties", {}))
        entries = schema.get("x-kubernetes-group-version-kind")
        if entries and len(entries) > 1:
            schema["x-kubernetes-group-version-kind"] = [
                entry for entry in entries if (entry["group"], entry["version"]) in group_versions
            ]
        return schema


def convert(schema: Any) -> Any:
    """One schema of the package → OpenAPI 3."""
    if not isinstance(schema, dict):
        return schema
    if schema == _INT_OR_STRING:
        return {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]}
    out: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "type" and isinstance(value, list):
            out["type"] = next(name for name in value if name != "null")
        elif key == "properties":
            out[key] = {name: _property(name, item) for name, item in value.items()}
        elif key in ("items", "additionalProperties"):
            out[key] = convert(value)
        elif key == "oneOf":
            out[key] = [convert(item) for item in value]
        elif key == "$ref":
            out["allOf"] = [{"$ref": _NEW_REF + value.removeprefix(_REF)}]
        else:
            out[key] = value
    return out


def _enumerate(name: str, properties: dict[str, Any]) -> None:
    """Add the values of enumerations, which the package's data lacks and our own table has."""
    try:
        fields = struct(name.removeprefix("io.k8s.api.").removeprefix(_META_PREFIX).replace(".", "/", 1)).fields
    except KeyError:
        return
    for field in fields:
        if field.values and field.name in properties:
            holder = properties[field.name]["items"] if field.list else properties[field.name]
            holder["enum"] = list(field.values)


def _property(name: str, schema: Any) -> Any:
    out = convert(schema)
    if name in ("apiVersion", "kind") and len(out.get("enum", ())) == 1:
        del out["enum"]
    return out


def _references(schema: Any) -> Iterable[str]:
    if isinstance(schema, dict):
        reference = schema.get("$ref")
        if isinstance(reference, str):
            yield reference.removeprefix(_NEW_REF)
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)


def _path() -> Path:
    spec = find_spec("kubernetes_validate")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("OpenAPI: the Python package kubernetes-validate is missing; install it")
    folder = Path(spec.submodule_search_locations[0])
    return folder / "kubernetes-json-schema" / f"{RELEASE}-local" / "_definitions.json"
