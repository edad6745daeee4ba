"""The Kubernetes API server: serves the API over HTTPS and keeps the cluster's objects in an SQLite file."""

import argparse
import asyncio
import logging
import ssl
import sys
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web
from prometheus_client import CollectorRegistry

from weft.apiserver import bootstrap, config
from weft.apiserver.auth import AccessControl, load_public_key, load_signing_key
from weft.apiserver.config import Config, add_arguments
from weft.apiserver.http.chain import Chain, Metrics, StoreMetrics
from weft.apiserver.http.documents import Documents
from weft.apiserver.http.router import Resources
from weft.apiserver.kinds import KINDS, REVIEWS
from weft.apiserver.kinds.nodes.admission import NodeAdmission
from weft.apiserver.kinds.pods.admission import PodAdmission
from weft.apiserver.kinds.services.admission import ServiceAllocation
from weft.apiserver.proxy.streaming import Streaming, kubelet_tls
from weft.apiserver.registry.admission import Admission
from weft.apiserver.registry.expiry import EventExpiry
from weft.apiserver.registry.namespaces import NamespaceLifecycle
from weft.apiserver.registry.reading import storage_name
from weft.apiserver.registry.registry import Registry
from weft.apiserver.storage.journal import Journal
from weft.apiserver.storage.store import Store

__all__ = ["add_arguments", "run"]

log = logging.getLogger(__name__)

_SWITCH = 0.0005
"""Seconds after which the loop's thread lets the journal's run: it only has to fetch its next group."""
_KEEP_ALIVE = 600.0
_LINE = 1 << 20
"""Bytes of a request line: `kubectl exec` puts whole scripts into it (Go's server takes a megabyte of headers)."""
_DRAIN = 1.0
"""Seconds for requests under way when the server stops."""


async def run(args: argparse.Namespace) -> int:
    settings = config.parse(args)
    sys.setswitchinterval(_SWITCH)
    failed = asyncio.Event()
    # Two groups may serve what is stored once (events): the kind that can be selected by fields says how.
    selectable = {storage_name(kind): kind.selectable for kind in sorted(KINDS, key=lambda kind: len(kind.selectable))}
    store = Store(_journal(settings), selectable, failed.set)
    try:
        access = _access_control(settings)
        registry = Registry(store, KINDS, _admissions(settings, access))
        await bootstrap.prepare(registry, settings.service_ranges[0], settings.advertise_address, settings.secure_port)
        expiry = asyncio.create_task(EventExpiry(registry).run())
        try:
            return await _serve(settings, registry, access, failed)
        finally:
            expiry.cancel()
    finally:
        store.close()


def _journal(settings: Config) -> Journal:
    if settings.data:
        try:
            settings.data.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            why = f"cannot make its directory: {error.strerror}; name a file on a local disk"
            raise ValueError(f"--data {settings.data}: {why}") from None
    return Journal(settings.data)


def _admissions(settings: Config, access: AccessControl) -> Sequence[Admission]:
    services = ServiceAllocation(settings.service_ranges, settings.node_ports)
    return (NamespaceLifecycle(), PodAdmission(), access, NodeAdmission(), services)


def _access_control(settings: Config) -> AccessControl:
    try:
        signing = load_signing_key(settings.account_signing_key.read_bytes())
    except ValueError as error:
        path = settings.account_signing_key
        raise ValueError(f"--service-account-signing-key-file {path}: {error}") from None
    verifying = []
    for path in settings.account_keys:
        try:
            verifying.append(load_public_key(path.read_bytes()))
        except ValueError as error:
            raise ValueError(f"--service-account-key-file {path}: {error}") from None
    return AccessControl(signing, issuer=settings.issuer, verifying=verifying)


async def _serve(settings: Config, registry: Registry, access: AccessControl, failed: asyncio.Event) -> int:
    metrics = CollectorRegistry()
    metrics.register(StoreMetrics(registry.store))
    host = settings.advertise_address
    address = f"[{host}]:{settings.secure_port}" if ":" in host else f"{host}:{settings.secure_port}"
    documents = Documents([*KINDS, *REVIEWS], access, metrics, address, lambda: ["store"] if failed.is_set() else [])
    streaming = Streaming(registry.reader, access, _kubelet_tls(settings))
    resources = Resources(registry, REVIEWS, access, streaming)
    chain = Chain(access, resources, documents, Metrics(metrics))
    server = web.Server(
        chain.handle,
        keepalive_timeout=_KEEP_ALIVE,
        handler_cancellation=True,
        access_log=None,
        max_line_size=_LINE,
        max_field_size=_LINE,
    )
    logging.getLogger("aiohttp.server").addFilter(without_content)
    bind = None if settings.bind_address == "::" else settings.bind_address  # None: of both families
    loop = asyncio.get_running_loop()
    try:
        listener = await loop.create_server(server, bind, settings.secure_port, ssl=_tls(settings), backlog=1024)
    except OSError as error:
        await streaming.close()
        raise ValueError(
            f"--secure-port {settings.secure_port}: cannot listen on {settings.bind_address}: {error.strerror}; "
            "stop what uses the port or choose another"
        ) from None
    log.info("serving address=%s objects=%d", address, sum(size for _, size, _ in registry.store.sizes()))
    try:
        await failed.wait()
        return 1
    finally:
        listener.close()
        registry.store.end_watches()
        await server.shutdown(_DRAIN)
        await streaming.close()


def without_content(record: logging.LogRecord) -> bool:
    """A filter: what aiohttp says of a malformed request shows the request, bearer tokens included."""
    if record.exc_info and record.exc_info[0]:
        record.msg, record.args = f"{record.getMessage()}: {record.exc_info[0].__name__}", ()
        record.exc_info = None
    return True


def _kubelet_tls(settings: Config) -> ssl.SSLContext:
    try:
        return kubelet_tls(settings.kubelet_certificate, settings.kubelet_key, settings.kubelet_ca)
    except ssl.SSLError as error:
        raise ValueError(
            f"--kubelet-client-certificate, --kubelet-client-key, --kubelet-certificate-authority: {error}; "
            "name a certificate, its key and an authority in PEM"
        ) from None


def _tls(settings: Config) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    _load(context, settings.certificate, settings.key)
    if settings.client_ca:
        try:
            context.load_verify_locations(settings.client_ca)
        except ssl.SSLError as error:
            raise ValueError(f"--client-ca-file {settings.client_ca}: {error}; name a PEM file") from None
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def _load(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    try:
        context.load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        raise ValueError(
            f"--tls-cert-file {certificate}, --tls-private-key-file {key}: {error}; name a certificate and its key"
        ) from None
