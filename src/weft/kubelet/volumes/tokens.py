"""ServiceAccount tokens bound to pods, requested and renewed ("Managing Service Accounts", "Bound tokens")."""

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from weft.cluster.objects.pod import Pod
from weft.cluster.objects.resource import SERVICE_ACCOUNTS
from weft.cluster.port import Cluster
from weft.kubelet.volumes.payload import TokenKey

_RENEW_AT = 0.8
_MAX_AGE = 86_400.0


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    renew_at: float


class TokenSource:
    """Keeps each token until four fifths of its life (at most a day) are over."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._tokens: dict[tuple[str, TokenKey], _Token] = {}

    async def tokens(self, pod: Pod, keys: frozenset[TokenKey]) -> dict[TokenKey, str]:
        """Raises ApiError where the API server refuses."""
        made = await asyncio.gather(*(self._token(pod, key) for key in keys))
        return dict(zip(keys, made, strict=True))

    def forget(self, uid: str) -> None:
        for key in [key for key in self._tokens if key[0] == uid]:
            del self._tokens[key]

    async def _token(self, pod: Pod, key: TokenKey) -> str:
        meta = pod.metadata
        known = self._tokens.get((meta.uid, key))
        now = time.time()
        if known is not None and now < known.renew_at:
            return known.text
        audience, lifetime = key
        request: dict[str, Any] = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {
                "audiences": [audience] if audience else [],
                "expirationSeconds": lifetime,
                "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": meta.name, "uid": meta.uid},
            },
        }
        account = pod.spec.service_account_name or "default"
        reply = await self._cluster.create(SERVICE_ACCOUNTS, request, meta.namespace, name=account, subresource="token")
        status = reply.get("status") or {}
        expires = _seconds(status.get("expirationTimestamp"), now + lifetime)
        token = _Token(str(status.get("token", "")), now + min((expires - now) * _RENEW_AT, _MAX_AGE))
        self._tokens[(meta.uid, key)] = token
        return token.text


def _seconds(stamp: str | None, otherwise: float) -> float:
    return datetime.fromisoformat(stamp).timestamp() if stamp else otherwise
