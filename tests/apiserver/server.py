"""The server in the test's own process: everything but TLS, and everybody is an administrator unless a header says
otherwise (`Impersonate-User`)."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from prometheus_client import CollectorRegistry

from weft.apiserver import bootstrap
from weft.apiserver.auth import AccessControl, User, load_signing_key
from weft.apiserver.http.chain import Chain, Metrics
from weft.apiserver.http.documents import Documents
from weft.apiserver.http.router import Resources
from weft.apiserver.kinds import KINDS, REVIEWS
from weft.apiserver.kinds.pods.admission import PodAdmission
from weft.apiserver.kinds.services.admission import ServiceAllocation
from weft.apiserver.proxy.streaming import Streaming, kubelet_tls
from weft.apiserver.registry.namespaces import NamespaceLifecycle
from weft.apiserver.registry.reading import storage_name
from weft.apiserver.registry.registry import Registry
from weft.apiserver.storage.journal import Journal
from weft.apiserver.storage.store import Store

ADMIN = User("admin", groups=("system:masters", "system:authenticated"))
Json = dict[str, Any]


class OpenAccess(AccessControl):
    async def authenticate(self, certificate: bytes | None, authorization: str) -> User:
        return await super().authenticate(None, authorization) if authorization else ADMIN


def signing_key() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@dataclass
class Reply:
    code: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Server:
    registry: Registry
    store: Store
    session: aiohttp.ClientSession
    url: str

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """`body`: bytes as they are, anything else as JSON. `headers`: Content_Type for Content-Type."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        data = body
        if body is not None and not isinstance(body, bytes):
            data = json.dumps(body).encode()
            given.setdefault("Content-Type", "application/json")
        if isinstance(data, bytes):
            data = io.BytesIO(data)
        async with self.session.request(method, self.url + path, data=data, headers=given) as answer:
            return Reply(answer.status, answer.headers, await answer.read())

    async def get(self, path: str, **headers: str) -> Reply:
        return await self.call("GET", path, **headers)

    async def post(self, path: str, body: Any, **headers: str) -> Reply:
        return await self.call("POST", path, body, **headers)

    async def patch(self, path: str, body: Any, kind: str = "merge", **headers: str) -> Reply:
        return await self.call("PATCH", path, body, Content_Type=f"application/{kind}-patch+json", **headers)

    async def made(self, path: str, body: Json) -> Json:
        reply = await self.post(path, body)
        assert reply.code == 201, reply.body
        return dict(reply.json)

    @asynccontextmanager
    async def watch(self, path: str) -> AsyncIterator["Watch"]:
        joint = "&" if "?" in path else "?"
        async with self.session.get(f"{self.url}{path}{joint}watch=true") as answer:
            assert answer.status == 200, await answer.read()
            yield Watch(answer)


@dataclass
class Watch:
    answer: aiohttp.ClientResponse

    async def next(self, timeout: float = 5) -> Json:
        async with asyncio.timeout(timeout):
            return dict(json.loads(await self.answer.content.readline()))

    async def nothing(self, seconds: float = 0.15) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self.answer.content.readline()
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def serving(data: Path | None = None) -> AsyncIterator[Server]:
    store = Store(Journal(data), {storage_name(kind): kind.selectable for kind in KINDS}, lambda: None)
    access = OpenAccess(load_signing_key(signing_key()))
    services = ServiceAllocation((ip_network("10.96.0.0/16"),))
    registry = Registry(store, KINDS, (NamespaceLifecycle(), access, services, PodAdmission()))
    await bootstrap.prepare(registry, ip_network("10.96.0.0/16"), "192.0.2.1", 6443)
    metrics = CollectorRegistry()
    streaming = Streaming(registry.reader, access, kubelet_tls(None, None, None))
    documents = Documents([*KINDS, *REVIEWS], access, metrics, "192.0.2.1:6443", list)
    chain = Chain(access, Resources(registry, REVIEWS, access, streaming), documents, Metrics(metrics))
    server = web.Server(chain.handle, handler_cancellation=True, access_log=None)
    listener = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=True) as session:
        running = Server(registry, store, session, f"http://127.0.0.1:{port}")
        await running.made("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
        yield running
    listener.close()
    await server.shutdown(1)
    await streaming.close()
    store.close()


def config_map(name: str, **fields: Any) -> Json:
    meta = {"name": name, **fields.pop("metadata", {})}
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": meta, **fields}


def pod(name: str, node: str = "", **metadata: Any) -> Json:
    spec: Json = {"containers": [{"name": "c", "image": "busybox"}]}
    if node:
        spec["nodeName"] = node
    return {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": name, **metadata}, "spec": spec}


MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
