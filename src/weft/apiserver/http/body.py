"""Request bodies: JSON, YAML and protobuf to plain objects."""

from typing import Any

import msgspec
import yaml
from aiohttp import web

from weft.apiserver import protobuf
from weft.apiserver.registry import failures
from weft.apiserver.registry.kind import Object

LIMIT = 3 << 20
"""Bytes, as kube-apiserver's MaxRequestBodyBytes."""

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
OBJECT_TYPES = (JSON, YAML, PROTOBUF)

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
        return _json(body)
    if content_type == YAML:
        return _yaml(body)
    if content_type == PROTOBUF:
        return protobuf.decode(body)
    raise failures.unsupported_media_type(OBJECT_TYPES)


def _json(body: bytes) -> Any:
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"couldn't get version/kind; json parse error: {error}") from None


def _yaml(body: bytes) -> Any:
    try:
        return yaml.load(body, _Loader)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"error converting YAML to JSON: {' '.join(str(error).split())}") from None


def decode_object(content_type: str, body: bytes, kind: str, api_version: str) -> Object:
    """An object of the kind that the path serves. Raises ApiError 400 with kube-apiserver's words, 415."""
    try:
        obj = decode(content_type, body)
    except ValueError as error:
        raise failures.bad_request(_unrecognized(kind, str(error), body)) from None
    if not isinstance(obj, dict):
        why = "couldn't get version/kind; json parse error: json: cannot unmarshal value into Go value of type struct"
        raise failures.bad_request(_unrecognized(kind, why, body))
    given_kind, given_version = obj.get("kind") or kind, obj.get("apiVersion") or api_version
    if given_version != api_version:
        raise failures.bad_request(
            f"the API version in the data ({given_version}) does not match the expected API version ({api_version})"
        )
    if given_kind != kind:
        version = api_version.rpartition("/")[2]
        raise failures.bad_request(
            f'{given_kind} in version "{version}" cannot be handled as a {kind}: converting ({given_kind}) to '
            f"({kind}): unknown conversion"
        )
    if not isinstance(obj.get("metadata", {}), dict):
        why = "json: cannot unmarshal value into Go struct field .metadata of type v1.ObjectMeta"
        raise failures.bad_request(f'{kind} in version "{api_version}" cannot be handled as a {kind}: {why}')
    head = {"kind": kind, "apiVersion": api_version}
    return {**head, **{key: value for key, value in obj.items() if key not in head}}


def _unrecognized(kind: str, why: str, body: bytes) -> str:
    shown = body[:30].decode(errors="replace") + (" ..." if len(body) > 30 else "")
    return f"the object provided is unrecognized (must be of type {kind}): {why} ({shown})"
