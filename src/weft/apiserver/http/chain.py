"""The request chain: authenticate → impersonate → authorize → serve; whatever goes wrong becomes a Status."""

import asyncio
import logging
import time
from collections.abc import Iterator

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from weft.apiserver.auth import AccessControl, Unauthenticated
from weft.apiserver.auth.access import User
from weft.apiserver.http import info as request_info
from weft.apiserver.http import lists, reply
from weft.apiserver.http.documents import Documents
from weft.apiserver.http.info import RequestInfo
from weft.apiserver.http.router import Resources, is_long_running
from weft.apiserver.registry import failures
from weft.apiserver.storage.record import encode
from weft.apiserver.storage.store import Store
from weft.cluster.errors import ApiError

log = logging.getLogger(__name__)

_COMMON = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
_VERBS = frozenset((*_COMMON, "post", "put", "head", "options"))
"""Of the metrics' labels; what a client makes up must not make series."""
_BUCKETS = (0.001, 0.005, 0.025, 0.1, 0.5, 2.0, 10.0)


class Metrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("verb", "resource", "code")
        self.requests = Counter("apiserver_request_total", "Requests answered", labels, registry=registry)
        self.seconds = Histogram(
            "apiserver_request_duration_seconds", "Time to answer", ("verb",), buckets=_BUCKETS, registry=registry
        )
        self.long_running = Gauge(
            "apiserver_longrunning_requests", "Watches and streams under way", ("verb",), registry=registry
        )


class StoreMetrics(Collector):
    """What the store holds, counted when somebody looks."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterator[GaugeMetricFamily]:
        objects = GaugeMetricFamily("apiserver_storage_objects", "Objects stored", labels=["resource"])
        watchers = GaugeMetricFamily("apiserver_watchers", "Watches under way", labels=["resource"])
        for resource, stored, watching in self._store.sizes():
            objects.add_metric([resource], stored)
            watchers.add_metric([resource], watching)
        yield objects
        yield watchers


class Chain:
    def __init__(self, access: AccessControl, resources: Resources, documents: Documents, metrics: Metrics) -> None:
        self._access = access
        self._resources = resources
        self._documents = documents
        self._metrics = metrics

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """What aiohttp's server calls for each request."""
        begun = time.perf_counter()
        info = request_info.parse(request.method, request.path, request.query)
        long = is_long_running(info)
        if long:
            self._metrics.long_running.labels(_long_verb(info)).inc()
        try:
            response = await self._answer(info, request)
        finally:
            if long:
                self._metrics.long_running.labels(_long_verb(info)).dec()
        verb = info.verb if info.verb in _VERBS else "other"
        resource = info.resource if self._resources.serves(info.resource) else ""
        self._metrics.requests.labels(verb, resource, str(response.status)).inc()
        if not long:
            self._metrics.seconds.labels(verb).observe(time.perf_counter() - begun)
        return response

    async def _answer(self, info: RequestInfo, request: web.BaseRequest) -> web.StreamResponse:
        try:
            user = await self._who(request)
            asked = info.attributes()
            user = self._access.impersonate(user, request.headers.items(), asked)
            self._access.demand(user, asked)
            if info.is_resource:
                return await self._resources.serve(info, user, request)
            return await self._documents.serve(info, request)
        except Unauthenticated as error:
            log.info("refused credentials path=%s reason=%s", info.path, error)
            return reply.failure(request, failures.unauthorized())
        except failures.PageNotFound as error:
            return web.Response(status=404, text=error.message + "\n")
        except lists.ContinueExpired as error:
            return _continue_expired(error)
        except ApiError as error:
            return reply.failure(request, error)
        except (asyncio.CancelledError, ConnectionError):
            raise
        except OSError as error:
            return reply.failure(request, failures.internal(str(error)))
        except Exception as error:
            log.exception("a request failed method=%s path=%s", request.method, info.path)
            return reply.failure(request, failures.internal(f"{type(error).__name__}: {error}"))

    async def _who(self, request: web.BaseRequest) -> User:
        connection = request.get_extra_info("ssl_object")
        certificate = connection.getpeercert(binary_form=True) if connection is not None else None
        return await self._access.authenticate(certificate, request.headers.get("Authorization", ""))


def _long_verb(info: RequestInfo) -> str:
    return "watch" if info.verb == "watch" else info.subresource


def _continue_expired(error: lists.ContinueExpired) -> web.Response:
    status = failures.status_object(error)
    status["metadata"] = {"continue": error.token}
    return web.Response(status=410, body=encode(status), content_type="application/json")
