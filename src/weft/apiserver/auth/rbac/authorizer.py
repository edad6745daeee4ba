"""RBAC: may this user do that? One dictionary look-up per request once a user has been seen. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field

from weft.apiserver.auth.access import Attributes, Decision, User
from weft.apiserver.auth.rbac.index import Grant, Index
from weft.apiserver.auth.rbac.rule import Rule
from weft.apiserver.registry.kind import Object

_USERS = 2_000
_VERDICTS = 4_000
"""Bounds of what is remembered, per server and per user: both are fed with what clients send."""

_Verdict = tuple[tuple[frozenset[str] | None, Decision], ...]
"""In order: the names for which a rule allows it (None for all), and the answer."""


@dataclass(slots=True)
class _Permissions:
    """What is known of one user: the grants of each namespace, and the answers given so far."""

    grants: dict[str, tuple[Grant, ...]] = field(default_factory=dict)
    verdicts: dict[tuple[str, str, str, str, str], _Verdict] = field(default_factory=dict)


class RbacAuthorizer:
    def __init__(self, index: Index | None = None) -> None:
        self.index = index or Index()
        self._generation = self.index.generation
        self._users: dict[tuple[str, tuple[str, ...]], _Permissions] = {}

    def put(self, kind: str, obj: Object) -> None:
        """A Role, ClusterRole or binding was created or changed; other kinds are passed over."""
        self.index.put(kind, obj)

    def remove(self, kind: str, obj: Object) -> None:
        self.index.remove(kind, obj)

    def authorize(self, user: User, attributes: Attributes) -> Decision:
        permissions = self._permissions(user)
        if attributes.resource:
            key = (
                attributes.namespace, attributes.verb, attributes.group, attributes.resource, attributes.subresource,
            )  # fmt: skip
        else:
            key = ("", attributes.verb, "", "", attributes.path)
        verdict = permissions.verdicts.get(key)
        if verdict is None:
            verdict = self._judge(user, permissions, attributes)
            if len(permissions.verdicts) >= _VERDICTS:
                permissions.verdicts.clear()
            permissions.verdicts[key] = verdict
        for names, decision in verdict:
            if names is None or attributes.name in names:
                return decision
        raise AssertionError("a verdict ends with an answer for every name")

    def rules(self, user: User, namespace: str) -> tuple[list[Rule], list[str]]:
        """All rules that hold for `user` in `namespace`, and what could not be resolved."""
        grants = self._grants(user, self._permissions(user), namespace)
        return [rule for grant in grants for rule in grant.rules], _missing(grants)

    def _permissions(self, user: User) -> _Permissions:
        if self._generation != self.index.generation:
            self._users.clear()
            self._generation = self.index.generation
        key = (user.name, user.groups)
        permissions = self._users.get(key)
        if permissions is None:
            if len(self._users) >= _USERS:
                self._users.clear()
            permissions = self._users[key] = _Permissions()
        return permissions

    def _grants(self, user: User, permissions: _Permissions, namespace: str) -> tuple[Grant, ...]:
        grants = permissions.grants.get(namespace)
        if grants is None:
            if len(permissions.grants) >= _VERDICTS:
                permissions.grants.clear()
            grants = permissions.grants[namespace] = tuple(self.index.grants(user, namespace))
        return grants

    def _judge(self, user: User, permissions: _Permissions, attributes: Attributes) -> _Verdict:
        allows = _question(attributes)
        found: list[tuple[frozenset[str] | None, Decision]] = []
        grants = self._grants(user, permissions, attributes.namespace if attributes.resource else "")
        for grant in grants:
            for rule in grant.rules:
                if allows(rule):
                    reason = f"RBAC: allowed by {grant.binding.describe(grant.subject)}"
                    names = frozenset(rule.names) if rule.names and attributes.resource else None
                    found.append((names, Decision(True, reason)))
                    if names is None:
                        return tuple(found)
        missing = _missing(grants)
        reason = f"RBAC: {aggregate(missing)}" if missing else ""
        return (*found, (None, Decision(False, reason)))


def aggregate(errors: list[str]) -> str:
    """Several errors as one, as apimachinery's Aggregate prints them."""
    distinct = list(dict.fromkeys(errors))
    return distinct[0] if len(distinct) == 1 else "[" + ", ".join(distinct) + "]"


def _missing(grants: tuple[Grant, ...]) -> list[str]:
    return [grant.missing for grant in grants if grant.missing]


def _question(attributes: Attributes) -> Callable[[Rule], bool]:
    if attributes.resource:
        return lambda rule: rule.allows_resource(
            attributes.verb, attributes.group, attributes.resource, attributes.subresource
        )
    return lambda rule: rule.allows_path(attributes.verb, attributes.path)
