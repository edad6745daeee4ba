"""Who asks, what for, and the two questions that the server puts ("Controlling Access to the Kubernetes API")."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class User:
    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a request is about. Resource requests have a `resource`, all others a `path`."""

    verb: str
    """get list watch create update patch delete deletecollection; for paths: get, post …"""
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    field_selector: tuple[tuple[str, str], ...] = ()
    """Requirements of the form `field=value`, for list, watch and deletecollection: a node may list the pods with
    its own spec.nodeName only. `metadata.name=x` also sets `name`."""


@dataclass(frozen=True, slots=True)
class Decision:
    allowed: bool
    reason: str = ""


class Unauthenticated(Exception):
    """Credentials were given but do not hold (401). No credentials at all make `system:anonymous`."""


class Authenticator(Protocol):
    async def authenticate(self, certificate: bytes | None, authorization: str) -> User:
        """The user behind a verified client certificate (DER) or an Authorization header ("" if none was sent)."""
        ...


class Authorizer(Protocol):
    def authorize(self, user: User, attributes: Attributes) -> Decision: ...
