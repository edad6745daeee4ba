"""Plain requests, handed on to whoever is behind, and the answer handed back as it comes."""

import ssl
from collections.abc import Iterable

import aiohttp
from aiohttp import hdrs, web
from multidict import CIMultiDict

from weft.apiserver.proxy.target import Target

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""RFC 9110, section 7.6.1."""
_OURS = frozenset({"authorization", "host"})
_CHUNK = 64 * 1024


def headers_for_backend(headers: Iterable[tuple[bytes, bytes]], *, upgrade: bool) -> list[tuple[bytes, bytes]]:
    """Without credentials, which were for us; without hop-by-hop headers unless the connection itself goes on."""
    kept: list[tuple[bytes, bytes]] = []
    for name, value in headers:
        lower = name.decode("latin-1").lower()
        if lower in _OURS or lower.startswith("impersonate-"):
            continue
        if not upgrade and lower in _HOP_BY_HOP:
            continue
        kept.append((name, value))
    return kept


async def forward(
    session: aiohttp.ClientSession,
    request: web.BaseRequest,
    target: Target,
    tls: ssl.SSLContext | None,
    prefix: str,
) -> web.StreamResponse:
    """`prefix`: our own path in front of the other's, for redirects. Raises aiohttp.ClientError, OSError."""
    headers: CIMultiDict[str] = CIMultiDict()
    for name, value in headers_for_backend(request.raw_headers, upgrade=False):
        headers.add(name.decode("latin-1"), value.decode("latin-1"))
    body = request.content.iter_chunked(_CHUNK) if request.body_exists else None
    async with session.request(
        request.method, target.url, headers=headers, data=body, allow_redirects=False, ssl=tls or False
    ) as answer:
        response = web.StreamResponse(status=answer.status, reason=answer.reason)
        for key, text in answer.headers.items():
            if key.lower() not in _HOP_BY_HOP:
                response.headers.add(key, _relocated(key, text, prefix))
        await response.prepare(request)
        if request.method != hdrs.METH_HEAD:
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
        await response.write_eof()
        return response


def _relocated(key: str, text: str, prefix: str) -> str:
    return prefix + text if key.lower() == "location" and text.startswith("/") and prefix else text
