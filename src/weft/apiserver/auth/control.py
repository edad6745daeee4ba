"""Access control as one thing: what the server's request chain, its registry and its review handlers ask of it."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from weft.apiserver.auth.access import Attributes, Decision, User
from weft.apiserver.auth.authenticate import RequestAuthenticator
from weft.apiserver.auth.authorize import ServerAuthorizer
from weft.apiserver.auth.bootstrap import NODE_RULES
from weft.apiserver.auth.impersonation import impersonate
from weft.apiserver.auth.live import LiveIndex
from weft.apiserver.auth.node.authorizer import NodeAuthorizer
from weft.apiserver.auth.node.restriction import check_delete, check_eviction, check_write
from weft.apiserver.auth.rbac.authorizer import RbacAuthorizer
from weft.apiserver.auth.rbac.escalation import EscalationGuard
from weft.apiserver.auth.rbac.index import GROUP
from weft.apiserver.auth.rbac.rule import render
from weft.apiserver.auth.refusal import refusal
from weft.apiserver.auth.reviews import access, identity
from weft.apiserver.auth.reviews.token_request import request_token
from weft.apiserver.auth.tokens.issuer import Tokens
from weft.apiserver.auth.tokens.keys import PublicKey, SigningKey, key_set, openid_configuration
from weft.apiserver.registry.failures import no_such_path
from weft.apiserver.registry.kind import Kind, Object

if TYPE_CHECKING:  # admission itself imports auth.access
    from weft.apiserver.registry.admission import Context, Reader

DEFAULT_ISSUER = "https://kubernetes.default.svc.cluster.local"


class AccessControl:
    """An Authenticator, an Authorizer and an Admission plug-in over the same indices.

    The registry's events (`applied`) keep the indices true, so that every answer is that of the newest state.
    """

    def __init__(
        self,
        signing: SigningKey,
        *,
        issuer: str = DEFAULT_ISSUER,
        audiences: Sequence[str] = (),
        verifying: Sequence[PublicKey] = (),
        anonymous: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._live = LiveIndex()
        self._node = NodeAuthorizer(NODE_RULES)
        self._rbac = RbacAuthorizer()
        self.tokens = Tokens(signing, self._live, clock, issuer=issuer, audiences=audiences, verifying=verifying)
        self.authorizer = ServerAuthorizer(self._node, self._rbac)
        self._authenticator = RequestAuthenticator(self.tokens, clock, anonymous=anonymous)
        self._escalation = EscalationGuard(self.authorizer, self._rbac)

    # The request chain.

    async def authenticate(self, certificate: bytes | None, authorization: str) -> User:
        return await self._authenticator.authenticate(certificate, authorization)

    def impersonate(self, user: User, headers: Iterable[tuple[str, str]], request: Attributes | None = None) -> User:
        """As whom to judge the request: see `impersonation.impersonate`."""
        return impersonate(user, headers, self.authorizer, request)

    def authorize(self, user: User, attributes: Attributes) -> Decision:
        return self.authorizer.authorize(user, attributes)

    def demand(self, user: User, attributes: Attributes) -> None:
        """Raises Forbidden, in the API's words, unless `user` may do it."""
        decision = self.authorizer.authorize(user, attributes)
        if not decision.allowed:
            raise refusal(user, attributes, decision.reason)

    # The registry's plug-in.

    def admit_create(self, kind: Kind, obj: Object, context: "Context") -> None:
        check_write(kind, obj, None, context)
        if kind.resource.group == GROUP:
            namespace = obj["metadata"].get("namespace") or ""
            self._escalation.check(context.user, kind.resource.kind, obj, None, namespace)

    def admit_update(self, kind: Kind, new: Object, old: Object, context: "Context") -> None:
        check_write(kind, new, old, context)
        if kind.resource.group == GROUP:
            namespace = old["metadata"].get("namespace") or ""
            self._escalation.check(context.user, kind.resource.kind, new, old, namespace)

    def admit_delete(self, kind: Kind, old: Object, context: "Context") -> None:
        check_delete(kind, old, context)

    def admit_eviction(self, kind: Kind, pod: Object, user: User) -> None:
        """For pods/eviction, before the pod is deleted on the evictor's behalf."""
        check_eviction(kind, pod, user)

    def applied(self, kind: Kind, old: Object | None, new: Object | None) -> None:
        resource, obj = kind.resource, new if new is not None else old
        if obj is None:
            return
        gone = new is None
        if resource.group == GROUP:
            (self._rbac.remove if gone else self._rbac.put)(resource.kind, obj)
        elif not resource.group:
            (self._live.remove if gone else self._live.put)(resource.plural, obj)
            if resource.plural == "pods":
                (self._node.remove if gone else self._node.put)(obj)

    def aggregated_roles(self) -> Iterator[tuple[str, list[Object]]]:
        """(name, rules) of every ClusterRole with an aggregationRule, as its object should show them.

        What it allows is computed anyway; this is for whoever writes it down (clusterrole-aggregation).
        """
        for role, rules in self._rbac.index.aggregates():
            if role.rules != rules:
                yield role.name, [render(rule) for rule in rules]

    # Reviews and documents.

    def review(self, plural: str, user: User, body: Object, namespace: str = "") -> Object:
        """Answers a create of tokenreviews, selfsubjectreviews or one of the access reviews; raises ApiError."""
        match plural:
            case "tokenreviews":
                return identity.token_review(body, self.tokens)
            case "selfsubjectreviews":
                return identity.self_subject_review(user, self._clock())
            case "subjectaccessreviews":
                return access.subject_access_review(body, self.authorizer)
            case "localsubjectaccessreviews":
                return access.local_subject_access_review(body, namespace, self.authorizer)
            case "selfsubjectaccessreviews":
                return access.self_subject_access_review(user, body, self.authorizer)
            case "selfsubjectrulesreviews":
                return access.self_subject_rules_review(user, body, self.authorizer)
        raise no_such_path()

    def request_token(self, user: User, namespace: str, name: str, body: Object, reader: "Reader") -> Object:
        """Answers a create of serviceaccounts/NAME/token; raises ApiError."""
        return request_token(user, namespace, name, body, self.tokens, reader, self._clock())

    def openid_configuration(self, jwks_uri: str) -> dict[str, Any]:
        return openid_configuration(self.tokens.issuer, jwks_uri, self.tokens.keys)

    def jwks(self) -> dict[str, Any]:
        return key_set(self.tokens.keys)
