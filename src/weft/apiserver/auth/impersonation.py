"""Acting as somebody else: the Impersonate-* headers ("User impersonation"). Pure."""

from collections.abc import Iterable
from urllib.parse import unquote

from weft.apiserver.auth.access import Attributes, Authorizer, User
from weft.apiserver.auth.identity import (
    ANONYMOUS,
    AUTHENTICATED,
    UNAUTHENTICATED,
    service_account_groups,
    service_account_of,
)
from weft.apiserver.auth.refusal import refusal
from weft.cluster.errors import from_status

_GROUP = "authentication.k8s.io"
_PREFIX = "impersonate-"
_EXTRA = "impersonate-extra-"


def impersonate(user: User, headers: Iterable[tuple[str, str]], authorizer: Authorizer) -> User:
    """The user as whom the request is to be judged: `user`, unless headers (name, value; repeated ones in order) say
    otherwise. Raises Forbidden for whom `user` may not impersonate, BadRequest without Impersonate-User."""
    asked = [(name.lower(), value) for name, value in headers if name[:12].lower() == _PREFIX]
    if not asked:
        return user
    name = next((value for header, value in asked if header == "impersonate-user"), "")
    uid = next((value for header, value in asked if header == "impersonate-uid"), "")
    groups = tuple(value for header, value in asked if header == "impersonate-group")
    extra: dict[str, tuple[str, ...]] = {}
    for header, value in asked:
        if header.startswith(_EXTRA):
            key = unquote(header.removeprefix(_EXTRA))
            extra[key] = (*extra.get(key, ()), value)
    if not name:
        if groups or extra or uid:
            raise from_status(
                400, "BadRequest", f"requested {_wanted(groups, extra, uid)} without impersonating a user"
            )
        return user
    for attributes in _questions(name, uid, groups, extra):
        decision = authorizer.authorize(user, attributes)
        if not decision.allowed:
            raise refusal(user, attributes, decision.reason)
    account = service_account_of(name)
    if account and not groups:
        groups = service_account_groups(account[0])
    return User(name, uid, _completed(name, groups), extra)


def _questions(name: str, uid: str, groups: tuple[str, ...], extra: dict[str, tuple[str, ...]]) -> Iterable[Attributes]:
    if account := service_account_of(name):
        yield Attributes("impersonate", "", "v1", "serviceaccounts", namespace=account[0], name=account[1])
    else:
        yield Attributes("impersonate", "", "", "users", name=name)
    for group in groups:
        yield Attributes("impersonate", "", "", "groups", name=group)
    for key, values in extra.items():
        for value in values:
            yield Attributes("impersonate", _GROUP, "v1", "userextras", key, name=value)
    if uid:
        yield Attributes("impersonate", _GROUP, "v1", "uids", name=uid)


def _completed(name: str, groups: tuple[str, ...]) -> tuple[str, ...]:
    """Whether somebody is authenticated is said by a group, unless the request says it itself."""
    if name == ANONYMOUS:
        return groups if UNAUTHENTICATED in groups else (*groups, UNAUTHENTICATED)
    known = AUTHENTICATED in groups or UNAUTHENTICATED in groups
    return groups if known else (*groups, AUTHENTICATED)


def _wanted(groups: tuple[str, ...], extra: dict[str, tuple[str, ...]], uid: str) -> str:
    found = [f"groups {', '.join(groups)}"] if groups else []
    found += [f"extra {', '.join(extra)}"] if extra else []
    found += ["a uid"] if uid else []
    return " and ".join(found)
