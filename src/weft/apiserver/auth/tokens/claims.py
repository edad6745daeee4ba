"""What a ServiceAccount token says (RFC 7519; KEP-1205 "Bound Service Account Tokens"). Pure."""

from collections.abc import Sequence

import msgspec

from weft.apiserver.auth.access import User
from weft.apiserver.auth.identity import (
    CREDENTIAL_ID,
    NODE_NAME,
    NODE_UID,
    POD_NAME,
    POD_UID,
    service_account_groups,
    service_account_name,
)


class Reference(msgspec.Struct, frozen=True, omit_defaults=True):
    name: str = ""
    uid: str = ""


class Binding(msgspec.Struct, frozen=True, omit_defaults=True):
    """The private claim `kubernetes.io`: for whom the token is, and with what it dies."""

    namespace: str = ""
    node: Reference | None = None
    pod: Reference | None = None
    secret: Reference | None = None
    serviceaccount: Reference = Reference()
    warnafter: int | None = None


class Claims(msgspec.Struct, frozen=True, omit_defaults=True):
    """Times are Unix seconds."""

    aud: list[str] | str = msgspec.field(default_factory=list)
    exp: float | None = None
    iat: float | None = None
    iss: str = ""
    jti: str = ""
    binding: Binding = msgspec.field(default_factory=Binding, name="kubernetes.io")
    nbf: float | None = None
    sub: str = ""

    @property
    def audiences(self) -> Sequence[str]:
        return [self.aud] if isinstance(self.aud, str) else self.aud


def user_of(claims: Claims) -> User:
    """The ServiceAccount as a user, with what is known of the token's pod and node as extra."""
    binding = claims.binding
    extra: dict[str, tuple[str, ...]] = {}
    if claims.jti:
        extra[CREDENTIAL_ID] = (f"JTI={claims.jti}",)
    if binding.pod:
        extra |= {POD_NAME: (binding.pod.name,), POD_UID: (binding.pod.uid,)}
    if binding.node:
        extra[NODE_NAME] = (binding.node.name,)
        if binding.node.uid:
            extra[NODE_UID] = (binding.node.uid,)
    account = binding.serviceaccount
    return User(
        service_account_name(binding.namespace, account.name),
        account.uid,
        service_account_groups(binding.namespace),
        extra,
    )
