"""Who asks: a client certificate, else a bearer token, else nobody in particular ("Authenticating")."""

import datetime
import hashlib
from collections.abc import Callable

from cryptography import x509
from cryptography.x509.oid import NameOID, ObjectIdentifier

from weft.apiserver.auth.access import Unauthenticated, User
from weft.apiserver.auth.identity import ANONYMOUS_USER, CREDENTIAL_ID, with_authenticated
from weft.apiserver.auth.tokens.issuer import Tokens

_UID = ObjectIdentifier("1.3.6.1.4.1.57683.2")
"""Kubernetes' own attribute of a subject: the user's uid."""
_REMEMBERED = 2_000


class RequestAuthenticator:
    """Certificates must have been verified by TLS against the client authority; their dates are checked here again,
    since a connection outlives them. A certificate wins over a token; a token that does not hold is an error."""

    def __init__(self, tokens: Tokens, clock: Callable[[], float], *, anonymous: bool = True) -> None:
        self._tokens = tokens
        self._clock = clock
        self._anonymous = anonymous
        self._certificates: dict[bytes, tuple[User | None, float, float]] = {}

    async def authenticate(self, certificate: bytes | None, authorization: str) -> User:
        error: Unauthenticated | None = None
        if certificate is not None:
            try:
                if user := self._by_certificate(certificate):
                    return user
            except Unauthenticated as failed:
                error = failed
        if token := _bearer(authorization):
            return self._tokens.verify(token).user
        if error:
            raise error
        if not self._anonymous:
            raise Unauthenticated("no credentials")
        return ANONYMOUS_USER

    def _by_certificate(self, der: bytes) -> User | None:
        found = self._certificates.get(der)
        if found is None:
            found = read_certificate(der)
            if len(self._certificates) >= _REMEMBERED:
                self._certificates.clear()
            self._certificates[der] = found
        user, begins, ends = found
        now = self._clock()
        if now < begins:
            raise Unauthenticated("client certificate is not valid yet")
        if now > ends:
            raise Unauthenticated("client certificate has expired")
        return user


def read_certificate(der: bytes) -> tuple[User | None, float, float]:
    """The certificate's user (common name, organizations as groups), and when it begins and ends (Unix seconds).

    No user where it has no common name. Raises Unauthenticated where it cannot be read.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        subject = certificate.subject
        name, uid = _first(subject, NameOID.COMMON_NAME), _first(subject, _UID)
        groups = [_text(each.value) for each in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    except ValueError:
        raise Unauthenticated("client certificate cannot be read") from None
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    extra = {CREDENTIAL_ID: (f"X509SHA256={hashlib.sha256(der).hexdigest()}",)}
    user = User(name, uid, with_authenticated(groups), extra) if name else None
    return user, _seconds(begins), _seconds(ends)


def _first(subject: x509.Name, identifier: ObjectIdentifier) -> str:
    found = subject.get_attributes_for_oid(identifier)
    return _text(found[0].value) if found else ""


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _seconds(moment: datetime.datetime) -> float:
    return moment.timestamp()


def _bearer(authorization: str) -> str:
    """The token of `Bearer TOKEN`; "" for other schemes, which are nobody's."""
    scheme, _, rest = authorization.strip().partition(" ")
    if scheme.lower() != "bearer":
        return ""
    return rest.partition(" ")[0]
