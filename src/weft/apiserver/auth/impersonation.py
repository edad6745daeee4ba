"""Acting as somebody else: the Impersonate-* headers ("User impersonation", KEP-5284). Pure.

There are constrained modes and the old one. A constrained mode asks two rights: to be that user
(`impersonate:MODE`) and to do this request as such a user (`impersonate-on:MODE:VERB`). The old one asks the verb
`impersonate` alone. Any that allows will do; the first refusal is what the client is told.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from urllib.parse import unquote

from weft.apiserver.auth.access import Attributes, Authorizer, User
from weft.apiserver.auth.identity import (
    ANONYMOUS,
    AUTHENTICATED,
    MASTERS,
    NODE_NAME,
    NODES,
    UNAUTHENTICATED,
    service_account_groups,
    service_account_of,
)
from weft.apiserver.auth.refusal import refusal
from weft.apiserver.registry.kind import quoted
from weft.cluster.errors import ApiError, from_status

_GROUP = "authentication.k8s.io"
_PREFIX = "impersonate-"
_EXTRA = "impersonate-extra-"
_NODE = "system:node:"
_MANY = 4
"""From so many groups or extras on, one question about all of them is asked first."""
_DOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_SUBDOMAIN = re.compile(_DOMAIN)
_EXTRA_KEY = re.compile(rf"{_DOMAIN}/[A-Za-z0-9/\-._~%!$&'()*+,;=:]+")


def impersonate(
    user: User, headers: Iterable[tuple[str, str]], authorizer: Authorizer, request: Attributes | None = None
) -> User:
    """The user as whom `request` is to be judged: `user`, unless headers (name, value; repeated ones in order) say
    otherwise. Raises Forbidden for whom `user` may not impersonate, BadRequest without Impersonate-User. Without a
    `request` only the old mode is tried."""
    asked = [(name.lower(), value) for name, value in headers if name[:12].lower() == _PREFIX]
    wanted = _wanted(asked) if asked else None
    if wanted is None:
        return user
    refused: ApiError | None = None
    for mode in _modes(user, wanted) if request else ():
        try:
            return _constrained(mode, user, wanted, authorizer, request)
        except ApiError as error:
            refused = refused or error
    try:
        return _old(user, wanted, authorizer)
    except ApiError as error:
        raise (refused or error) from None


def _wanted(asked: list[tuple[str, str]]) -> User | None:
    """The user as the headers name it."""
    name = next((value for header, value in asked if header == "impersonate-user"), "")
    uid = next((value for header, value in asked if header == "impersonate-uid"), "")
    groups = tuple(value for header, value in asked if header == "impersonate-group")
    extra: dict[str, tuple[str, ...]] = {}
    for header, value in asked:
        if header.startswith(_EXTRA):
            key = unquote(header.removeprefix(_EXTRA)).lower()
            extra[key] = (*extra.get(key, ()), value)
    wanted = User(name, uid, groups, extra)
    if not name and (groups or extra or uid):
        raise from_status(400, "BadRequest", f"requested {_go_text(wanted)} without impersonating a user name")
    return wanted if name else None


def _modes(user: User, wanted: User) -> Iterator[str]:
    """The constrained modes by which `user` may become `wanted`, the narrowest first."""
    bare = not (wanted.uid or wanted.groups or wanted.extra)
    node, account = _node(wanted.name), service_account_of(wanted.name)
    if node and bare:
        if service_account_of(user.name) and user.extra.get(NODE_NAME) == (node,):
            yield "associated-node"
        yield "arbitrary-node"
    if account and bare:
        yield "serviceaccount"
    if not node and not account:
        yield "user-info"


def _constrained(mode: str, user: User, wanted: User, authorizer: Authorizer, request: Attributes | None) -> User:
    if request:
        _demand(authorizer, user, replace(request, verb=f"impersonate-on:{mode}:{request.verb}"))
    verb = f"impersonate:{mode}"
    groups = wanted.groups
    if node := _node(wanted.name):
        groups = (NODES,)
        # Whoever is on a node may be that node: the right is not to one node by its name.
        named = "*" if mode == "associated-node" else node
        _demand(authorizer, user, Attributes(verb, _GROUP, "v1", "nodes", name=named))
    elif account := service_account_of(wanted.name):
        groups = service_account_groups(account[0])
        _demand(
            authorizer, user, Attributes(verb, _GROUP, "v1", "serviceaccounts", namespace=account[0], name=account[1])
        )
    else:
        _demand(authorizer, user, Attributes(verb, _GROUP, "v1", "users", name=wanted.name))
    _demand_uid(verb, user, wanted, authorizer)
    if wanted.groups:
        _demand_groups(verb, user, wanted.groups, authorizer)
    if wanted.extra:
        _demand_extra(verb, user, wanted, authorizer)
    return _completed(wanted, groups)


def _demand_groups(verb: str, user: User, groups: tuple[str, ...], authorizer: Authorizer) -> None:
    about = Attributes(verb, _GROUP, "v1", "groups")
    if "" in groups:
        raise refusal(user, about, "impersonating the empty string group is not allowed")
    if MASTERS in groups:
        why = "impersonating the system:masters group is not allowed"
        raise refusal(user, replace(about, name=MASTERS), why)
    if len(groups) >= _MANY and authorizer.authorize(user, replace(about, name="*")).allowed:
        return
    for group in groups:
        _demand(authorizer, user, replace(about, name=group))


def _demand_extra(verb: str, user: User, wanted: User, authorizer: Authorizer) -> None:
    about = Attributes(verb, _GROUP, "v1", "userextras")
    for key, values in wanted.extra.items():
        if why := _why_no_extra(key, values):
            raise refusal(user, about, why)
    many = sum(map(len, wanted.extra.values())) >= _MANY
    if many and authorizer.authorize(user, replace(about, subresource="*", name="*")).allowed:
        return
    for attributes in _extra_questions(verb, wanted):
        _demand(authorizer, user, attributes)


def _why_no_extra(key: str, values: tuple[str, ...]) -> str:
    if not key:
        return "impersonating the empty string key in extra is not allowed"
    if not _EXTRA_KEY.fullmatch(key):
        host, _, path = key.partition("/")
        path_wrong = bool(host and path) and bool(_SUBDOMAIN.fullmatch(host))
        why = "Invalid path" if path_wrong else 'must be a domain-prefixed path (such as "acme.io/foo")'
        return f"impersonating an invalid key in extra is not allowed: extra.key: Invalid value: {quoted(key)}: {why}"
    return "impersonating the empty string value in extra is not allowed" if "" in values else ""


def _old(user: User, wanted: User, authorizer: Authorizer) -> User:
    groups, verb = wanted.groups, "impersonate"
    if account := service_account_of(wanted.name):
        asked = Attributes(verb, "", "v1", "serviceaccounts", namespace=account[0], name=account[1])
        _demand(authorizer, user, asked)
        groups = groups or service_account_groups(account[0])
    else:
        _demand(authorizer, user, Attributes(verb, "", "v1", "users", name=wanted.name))
    _demand_uid(verb, user, wanted, authorizer)
    for group in wanted.groups:
        _demand(authorizer, user, Attributes(verb, "", "v1", "groups", name=group))
    for attributes in _extra_questions(verb, wanted):
        _demand(authorizer, user, attributes)
    return _completed(wanted, groups)


def _demand_uid(verb: str, user: User, wanted: User, authorizer: Authorizer) -> None:
    if wanted.uid:
        _demand(authorizer, user, Attributes(verb, _GROUP, "v1", "uids", name=wanted.uid))


def _extra_questions(verb: str, wanted: User) -> Iterator[Attributes]:
    for key, values in wanted.extra.items():
        for value in values:
            yield Attributes(verb, _GROUP, "v1", "userextras", key, name=value)


def _demand(authorizer: Authorizer, user: User, attributes: Attributes) -> None:
    decision = authorizer.authorize(user, attributes)
    if not decision.allowed:
        raise refusal(user, attributes, decision.reason)


def _completed(wanted: User, groups: tuple[str, ...]) -> User:
    """Whether somebody is authenticated is said by a group, unless the request says it itself."""
    if wanted.name == ANONYMOUS:
        added = () if UNAUTHENTICATED in groups else (UNAUTHENTICATED,)
    else:
        added = () if {AUTHENTICATED, UNAUTHENTICATED} & set(groups) else (AUTHENTICATED,)
    return replace(wanted, groups=(*groups, *added))


def _node(name: str) -> str:
    """The node that a username names; "" for any other user."""
    node = name.removeprefix(_NODE)
    return node if node != name and len(node) <= 253 and _SUBDOMAIN.fullmatch(node) else ""


def _go_text(wanted: User) -> str:
    def strings(values: Iterable[str]) -> str:
        return "[]string{" + ", ".join(map(quoted, values)) + "}"

    groups = strings(wanted.groups) if wanted.groups else "[]string(nil)"
    pairs = ", ".join(f"{quoted(key)}:{strings(values)}" for key, values in wanted.extra.items())
    extra = f"map[string][]string{{{pairs}}}" if pairs else "map[string][]string(nil)"
    return f'&user.DefaultInfo{{Name:"", UID:{quoted(wanted.uid)}, Groups:{groups}, Extra:{extra}}}'
