"""Request bodies: JSON, YAML and protobuf to plain objects."""

import re
from typing import Any

import msgspec
import yaml
from aiohttp import web

from weft.apiserver import protobuf
from weft.apiserver.registry import failures
from weft.apiserver.registry.kind import Object
from weft.apiserver.schema.table import struct_of

LIMIT = 3 << 20
"""Bytes, as kube-apiserver's MaxRequestBodyBytes."""

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
OBJECT_TYPES = (JSON, YAML, PROTOBUF)

_SHOWN = 30
_BYTE = re.compile(r"byte (\d+)")
_SCHEME = "pkg/runtime/scheme.go:111"
_NO_OBJECT = (
    "json: cannot unmarshal {} into Go value of type struct {{ APIVersion string "
    '"json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }}'
)

_decoder = msgspec.json.Decoder()


class _Loader(yaml.CSafeLoader):
    """YAML as JSON has it: dates stay strings."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


async def read(request: web.BaseRequest) -> bytes:
    """The whole body. Raises ApiError 413 beyond the limit."""
    if (request.content_length or 0) > LIMIT:
        raise failures.too_large(LIMIT)
    if not request.body_exists:
        return b""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
        if size > LIMIT:
            raise failures.too_large(LIMIT)
        chunks.append(chunk)
    return b"".join(chunks)


def media_type(request: web.BaseRequest) -> str:
    return request.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def decode(content_type: str, body: bytes) -> Any:
    """Raises ApiError 415 for other types, ValueError (the decoder's words) for what does not decode."""
    if content_type in (JSON, ""):
        try:
            return json(body)
        except ValueError as error:
            raise ValueError(f"couldn't get version/kind; json parse error: {error}") from None
    if content_type == YAML:
        return _yaml(body)
    if content_type == PROTOBUF:
        return protobuf.decode(body)
    raise failures.unsupported_media_type(OBJECT_TYPES)


def json(body: bytes) -> Any:
    """Raises ValueError in the words of Go's encoding/json."""
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(_go_words(body, str(error))) from None


def _go_words(body: bytes, error: str) -> str:
    if "truncated" in error:
        return "unexpected end of JSON input"
    place = _BYTE.search(error)
    if place is None:
        return error
    character = body[int(place.group(1)) :][:1].decode("latin-1")
    return f"invalid character {character!r} looking for beginning of value"


def go_name(value: Any) -> str:
    """What Go's encoding/json calls a JSON value."""
    names: dict[type, str] = {dict: "object", list: "array", str: "string", bool: "bool", type(None): "null"}
    return names.get(type(value), "number")


def _yaml(body: bytes) -> Any:
    try:
        return yaml.load(body, _Loader)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line}: " if error.problem_mark and error.problem_mark.line else ""
        raise ValueError(f"yaml: {line}{error.problem}") from None
    except (yaml.YAMLError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError(f"yaml: {' '.join(str(error).split())}") from None


def decode_object(content_type: str, body: bytes, kind: str, api_version: str) -> Object:
    """An object of the kind that the path serves. Raises ApiError 400 with kube-apiserver's words, 415."""
    try:
        obj = decode(content_type, body)
        if not isinstance(obj, dict):
            raise ValueError(f"couldn't get version/kind; json parse error: {_NO_OBJECT.format(go_name(obj))}")
    except ValueError as error:
        words = f"the object provided is unrecognized (must be of type {kind}): {error} ({_summary(body)})"
        raise failures.bad_request(words) from None
    given_kind, given_version = obj.get("kind") or kind, obj.get("apiVersion") or api_version
    if not isinstance(given_kind, str) or not isinstance(given_version, str):
        raise failures.bad_request("couldn't get version/kind; json parse error: kind and apiVersion are strings")
    if (given_kind, given_version) != (kind, api_version):
        raise failures.bad_request(_other_kind(given_kind, given_version, kind, api_version))
    head = {"kind": kind, "apiVersion": api_version}
    return {**head, **{key: value for key, value in obj.items() if key not in head}}


def _other_kind(given_kind: str, given_version: str, kind: str, api_version: str) -> str:
    group, _, version = given_version.rpartition("/")
    if not known(group, version, given_kind):
        known_not = f'no kind "{given_kind}" is registered for version "{given_version}"'
        return f'{given_kind} in version "{version}" cannot be handled as a {kind}: {known_not} in scheme "{_SCHEME}"'
    if given_version != api_version:
        return f"the API version in the data ({given_version}) does not match the expected API version ({api_version})"
    inside = api_version.rpartition("/")[0].partition(".")[0] or "core"
    return (
        f'{given_kind} in version "{version}" cannot be handled as a {kind}: converting ({version}.{given_kind}) to '
        f"({inside}.{kind}): unknown conversion"
    )


def known(group: str, version: str, kind: str) -> bool:
    return struct_of(group, version, kind) is not None


def _summary(body: bytes) -> str:
    """As `summarizeData`."""
    if not body:
        return "<empty>"
    more = " ..." if len(body) > _SHOWN else ""
    start = body[:_SHOWN]
    return (start.decode(errors="replace") if body[:1] == b"{" else start.hex()) + more
