"""The lab's registry: the mirror that every node's containerd asks first (OCI distribution-spec, pull).

It holds what was loaded or built. For all else it answers 404, and containerd goes on to the real registry.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiohttp import web

from weft.lab.images.reference import Reference
from weft.lab.images.store import ImageStore

_VERSION = {"Docker-Distribution-Api-Version": "registry/2.0"}


class Registry:
    def __init__(self, directory: Path) -> None:
        self._store = ImageStore(directory)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v2/", self._root),
            web.get("/v2/{repository:.+}/manifests/{reference}", self._manifest),
            web.get("/v2/{repository:.+}/blobs/{digest}", self._blob),
        ]

    async def _root(self, _request: web.Request) -> web.Response:
        return web.json_response({}, headers=_VERSION)

    async def _manifest(self, request: web.Request) -> web.StreamResponse:
        registry = request.query.get("ns", "docker.io")  # containerd names the registry that it asks for
        wanted = request.match_info["reference"]
        tag, digest = ("", wanted) if wanted.startswith("sha256:") else (wanted, "")
        with _bad_request():
            found = self._store.resolve(Reference(registry, request.match_info["repository"], tag, digest))
        if found is None:
            return _refuse(404, "MANIFEST_UNKNOWN", f"{registry}/{request.match_info['repository']}:{wanted}")
        headers = {**_VERSION, "Content-Type": found.media_type, "Docker-Content-Digest": found.digest}
        return web.Response(body=self._store.blob(found.digest).read_bytes(), headers=headers)

    async def _blob(self, request: web.Request) -> web.StreamResponse:
        digest = request.match_info["digest"]
        with _bad_request():
            path = self._store.blob(digest)
        if not path.exists():
            return _refuse(404, "BLOB_UNKNOWN", digest)
        headers = {**_VERSION, "Content-Type": "application/octet-stream", "Docker-Content-Digest": digest}
        return web.FileResponse(path, headers=headers)


def _refuse(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"errors": [{"code": code, "message": message}]}, status=status, headers=_VERSION)


@contextmanager
def _bad_request() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise web.HTTPBadRequest(text=str(error)) from None
