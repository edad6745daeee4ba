"""Signing and verifying ServiceAccount tokens (JSON Web Signature, RFC 7515)."""

import hashlib
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import jwt
import msgspec

from weft.apiserver.auth.access import Unauthenticated, User
from weft.apiserver.auth.identity import with_authenticated
from weft.apiserver.auth.rbac.rule import go_list
from weft.apiserver.auth.tokens.claims import Binding, Claims, Reference, user_of
from weft.apiserver.auth.tokens.keys import PublicKey, SigningKey
from weft.apiserver.registry.kind import quoted

LEEWAY = 60
"""Seconds by which clocks may differ."""
_REMEMBERED = 5_000
_NOT_A_TOKEN = "invalid bearer token"


class LiveObjects(Protocol):
    """What of a token's objects still exists."""

    def uid(self, plural: str, namespace: str, name: str) -> tuple[str, float] | None:
        """uid and time of deletion (Unix seconds, infinite while it is not asked for), None when it is gone."""
        ...


@dataclass(frozen=True, slots=True)
class Verified:
    user: User
    audiences: tuple[str, ...]
    """Those of the token's audiences that were asked for."""


class Tokens:
    """One issuer: a key that signs, keys that verify, and whom tokens without other audiences are for.

    What a token says is remembered once its signature has been verified, by the token's hash; whether it is still
    valid (time, bound objects) is looked up each time, so that deleting a ServiceAccount ends its tokens at once.
    """

    def __init__(
        self,
        signing: SigningKey,
        live: LiveObjects,
        clock: Callable[[], float],
        *,
        issuer: str,
        audiences: Sequence[str] = (),
        verifying: Sequence[PublicKey] = (),
    ) -> None:
        self.issuer = issuer
        self.audiences = tuple(audiences) or (issuer,)
        self.keys = tuple({key.id: key for key in (signing.public, *verifying)}.values())
        self._signing = signing
        self._by_id = {key.id: key for key in self.keys}
        self._live = live
        self._clock = clock
        self._jws = jwt.PyJWS()
        self._verified: dict[bytes, tuple[Claims, User]] = {}

    def issue(self, binding: Binding, audiences: Sequence[str], seconds: int) -> str:
        """A token for `binding`, valid from now on for `seconds`."""
        now = int(self._clock())
        claims = Claims(
            aud=list(audiences),
            exp=now + seconds,
            iat=now,
            iss=self.issuer,
            jti=str(uuid.uuid4()),
            binding=binding,
            nbf=now,
            sub=user_of(Claims(binding=binding)).name,
        )
        key = self._signing
        return self._jws.encode(
            msgspec.json.encode(claims), key.key, key.public.algorithm, headers={"kid": key.public.id, "typ": None}
        )

    def verify(self, token: str, audiences: Sequence[str] = ()) -> Verified:
        """Whose token it is. Raises Unauthenticated, in kube-apiserver's words, which never show the token.

        `audiences`: any of these will do; without, those of this server.
        """
        claims, user = self._claims(token)
        wanted = tuple(audiences) or self.audiences
        common = tuple(each for each in claims.audiences or self.audiences if each in wanted)
        if not common:
            ours, theirs = go_list(claims.audiences), go_list(wanted)
            raise Unauthenticated(f"token audiences {ours} is invalid for the target audiences {theirs}")
        self._check_time(claims)
        self._check_binding(claims.binding)
        return Verified(user, common)

    def _claims(self, token: str) -> tuple[Claims, User]:
        if not token.isascii():
            raise Unauthenticated(_NOT_A_TOKEN)
        digest = hashlib.sha256(token.encode()).digest()
        found = self._verified.get(digest)
        if found is None:
            claims = self._decode(token)
            user = user_of(claims)
            found = claims, User(user.name, user.uid, with_authenticated(user.groups), user.extra)
            if len(self._verified) >= _REMEMBERED:
                self._verified.clear()
            self._verified[digest] = found
        return found

    def _decode(self, token: str) -> Claims:
        try:
            header = jwt.get_unverified_header(token)
            identifier = header.get("kid")
        except jwt.InvalidTokenError:
            raise Unauthenticated(_NOT_A_TOKEN) from None
        keys = self.keys if not identifier else [self._by_id[identifier]] if identifier in self._by_id else []
        for key in keys:
            try:
                payload = self._jws.decode(token, key.key, algorithms=[key.algorithm])
                claims = msgspec.json.decode(payload, type=Claims)
            except (jwt.InvalidTokenError, jwt.InvalidKeyError, msgspec.MsgspecError, UnicodeDecodeError):
                continue
            if claims.iss != self.issuer:
                raise Unauthenticated(_NOT_A_TOKEN)
            return claims
        raise Unauthenticated(_NOT_A_TOKEN)

    def _check_time(self, claims: Claims) -> None:
        now = self._clock()
        if claims.nbf is not None and now + LEEWAY < claims.nbf:
            raise Unauthenticated("service account token is not valid yet")
        if claims.exp is not None and now - LEEWAY > claims.exp:
            raise Unauthenticated("service account token has expired")
        if claims.iat is not None and now + LEEWAY < claims.iat:
            raise Unauthenticated("service account token is issued in the future")

    def _check_binding(self, binding: Binding) -> None:
        namespace, account = binding.namespace, binding.serviceaccount
        found = self._live.uid("serviceaccounts", namespace, account.name)
        if found is None:
            raise Unauthenticated(f"serviceaccounts {quoted(account.name)} not found")
        if found[0] != account.uid:
            raise Unauthenticated(f"service account UID ({found[0]}) does not match claim ({account.uid})")
        if self._deleted(found[1]):
            raise Unauthenticated(f"service account {namespace}/{account.name} has been deleted")
        if binding.secret:
            self._check_bound("secrets", "secret", namespace, binding.secret)
        if binding.pod:
            self._check_bound("pods", "pod", namespace, binding.pod)
        elif binding.node:
            self._check_bound("nodes", "node", "", binding.node)

    def _check_bound(self, plural: str, kind: str, namespace: str, reference: Reference) -> None:
        found = self._live.uid(plural, namespace, reference.name)
        if found is not None and found[0] != reference.uid:
            raise Unauthenticated(
                f"{kind} UID ({found[0]}) does not match service account {kind} ref claim ({reference.uid})"
            )
        if found is None or self._deleted(found[1]):
            raise Unauthenticated("service account token has been invalidated")

    def _deleted(self, at: float) -> bool:
        return at < self._clock() - LEEWAY
