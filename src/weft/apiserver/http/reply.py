"""Replies: encoded objects with the headers that kube-apiserver sends."""

import asyncio
import zlib
from collections.abc import Sequence
from typing import Any

import msgspec
import yaml
from aiohttp import web

from weft.apiserver.http.negotiate import JSON, Output
from weft.apiserver.registry.failures import status_object
from weft.apiserver.storage.record import decode, encode
from weft.cluster.errors import ApiError

_GZIP_FROM = 128 * 1024
"""Bytes; smaller replies are not worth the time (kube-apiserver's threshold)."""
_PRETTY_AGENTS = ("curl/", "Wget/", "Mozilla/")


def wants_pretty(request: web.BaseRequest) -> bool:
    asked = request.query.get("pretty")
    if asked is not None:
        return asked.lower() in ("true", "1", "t", "")
    return request.headers.get("User-Agent", "").startswith(_PRETTY_AGENTS)


async def data(
    request: web.BaseRequest, code: int, body: bytes, output: Output = JSON, warnings: Sequence[str] = ()
) -> web.Response:
    """A reply of JSON bytes, in the form that was asked for."""
    content_type = "application/json"
    if output.media == "yaml":
        content_type = "application/yaml"
        body = yaml.dump(decode(body), Dumper=yaml.CSafeDumper, sort_keys=False).encode()
    elif wants_pretty(request):
        body = msgspec.json.format(body, indent=2) + b"\n"
    response = web.Response(status=code, body=body)
    response.headers["Content-Type"] = content_type
    response.headers["Cache-Control"] = "no-cache, private"
    for warning in warnings:
        response.headers.add("Warning", f'299 - "{_quoted(warning)}"')
    if len(body) >= _GZIP_FROM and "gzip" in request.headers.get("Accept-Encoding", ""):
        response.body = await asyncio.to_thread(zlib.compress, body, 1, 31)
        response.headers["Content-Encoding"] = "gzip"
        response.headers["Vary"] = "Accept-Encoding"
    return response


async def obj(request: web.BaseRequest, code: int, value: Any, output: Output = JSON) -> web.Response:
    return await data(request, code, encode(value), output)


def failure(request: web.BaseRequest, error: ApiError) -> web.Response:
    status = status_object(error)
    body = encode(status)
    if wants_pretty(request):
        body = msgspec.json.format(body, indent=2) + b"\n"
    response = web.Response(status=error.code or 500, body=body)
    response.headers["Content-Type"] = "application/json"
    response.headers["Cache-Control"] = "no-cache, private"
    retry = error.details.get("retryAfterSeconds")
    if retry:
        response.headers["Retry-After"] = str(retry)
    return response


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
