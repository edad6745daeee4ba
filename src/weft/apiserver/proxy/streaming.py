"""Requests that end at a kubelet or in a pod."""

from aiohttp import web

from weft.apiserver.http.info import RequestInfo
from weft.apiserver.registry import failures


class Streaming:
    async def serve(self, info: RequestInfo, request: web.BaseRequest) -> web.StreamResponse:
        raise failures.unavailable("not yet")
