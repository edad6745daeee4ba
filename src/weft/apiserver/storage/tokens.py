"""The continue token of a paged list: the revision of the first page and the key where the next begins. Pure."""

import base64
import binascii

import msgspec


class _Token(msgspec.Struct, rename={"version": "v"}):
    version: str
    rv: int
    start: str


INCONSISTENT = -1
"""In place of a revision: go on with the newest state."""

_BAD = "continue key is not valid: "


def make(rv: int, start: str) -> str:
    data = msgspec.json.encode(_Token("meta.k8s.io/v1", rv, start))
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def parse(token: str) -> tuple[int, str]:
    """(revision or INCONSISTENT, start key). Raises ValueError with the server's message."""
    try:
        data = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        found = msgspec.json.decode(data, type=_Token)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"{_BAD}{error}") from None
    if found.version != "meta.k8s.io/v1":
        raise ValueError(f"{_BAD}server does not recognize this encoded version {found.version!r}")
    if found.rv < INCONSISTENT or found.rv == 0 or not found.start:
        raise ValueError(f"{_BAD}incorrect encoded start resourceVersion (version meta.k8s.io/v1)")
    return found.rv, found.start
