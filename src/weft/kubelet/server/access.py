"""Who may ask this node: clients with a certificate of the cluster's authority, whom the API server's rules allow
("Kubelet authentication/authorization").
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from weft.cluster.errors import ApiError
from weft.cluster.objects.resource import SUBJECT_ACCESS_REVIEWS
from weft.cluster.port import Cluster

_ALLOWED_FOR = 300.0
_DENIED_FOR = 30.0
_MASTERS = "system:masters"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Client:
    """Of a certificate: the common name, and the organisations as groups."""

    name: str
    groups: tuple[str, ...]


def client_of(certificate: Mapping[str, Any] | None) -> Client | None:
    """From ssl's `getpeercert()`."""
    if not certificate:
        return None
    pairs = [pair for part in certificate.get("subject", ()) for pair in part]
    name = next((value for key, value in pairs if key == "commonName"), "")
    return Client(name, tuple(value for key, value in pairs if key == "organizationName")) if name else None


def attributes(path: str, method: str) -> tuple[str, str]:
    """Verb and subresource of `nodes` that a request stands for."""
    verbs = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
    table = (("/stats", "stats"), ("/metrics", "metrics"), ("/logs", "log"), ("/checkpoint", "checkpoint"))
    for prefix, subresource in table:
        if path == prefix or path.startswith(f"{prefix}/"):
            return verbs.get(method, "get"), subresource
    return verbs.get(method, "get"), "proxy"


class Access:
    """Asks the API server by SubjectAccessReview, and remembers for a while what it said."""

    def __init__(self, cluster: Cluster, node_name: str) -> None:
        self._cluster = cluster
        self._node_name = node_name
        self._known: dict[tuple[Client, str, str], tuple[bool, float]] = {}

    async def allowed(self, client: Client, path: str, method: str) -> bool:
        if _MASTERS in client.groups:
            return True
        verb, subresource = attributes(path, method)
        key = (client, verb, subresource)
        now = asyncio.get_running_loop().time()
        known = self._known.get(key)
        if known is None or known[1] < now:
            verdict = await self._ask(client, verb, subresource)
            if verdict is None:
                return bool(known and known[0])
            known = self._known[key] = (verdict, now + (_ALLOWED_FOR if verdict else _DENIED_FOR))
        return known[0]

    async def _ask(self, client: Client, verb: str, subresource: str) -> bool | None:
        resource = {
            "verb": verb, "version": "v1", "resource": "nodes", "subresource": subresource, "name": self._node_name,
        }  # fmt: skip
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": client.name,
                "groups": [*client.groups, "system:authenticated"],
                "resourceAttributes": resource,
            },
        }
        try:
            reply = await self._cluster.create(SUBJECT_ACCESS_REVIEWS, review)
        except ApiError as error:
            _log.warning("cannot ask whether %s may %s nodes/%s: %s", client.name, verb, subresource, error)
            return None
        return bool((reply.get("status") or {}).get("allowed"))
