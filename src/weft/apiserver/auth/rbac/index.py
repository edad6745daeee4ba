"""All roles and bindings, indexed by whom they are for. Fed with events; answers with rules. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from weft.apiserver.auth.access import User
from weft.apiserver.auth.identity import service_account_name
from weft.apiserver.auth.rbac.aggregation import Selector, aggregated, selectors_of
from weft.apiserver.auth.rbac.rule import Rule, rules_of
from weft.apiserver.registry.kind import Object, quoted

GROUP = "rbac.authorization.k8s.io"
KINDS = ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")

_Key = tuple[str, str]
"""(namespace, name); the namespace of what belongs to the cluster is ""."""
_Subject = tuple[str, str]
"""("User" or "Group", name)"""


class RoleNotFound(Exception):
    """A binding refers to a role that does not exist; the message is the API's."""


@dataclass(frozen=True, slots=True)
class ClusterRole:
    name: str
    rules: tuple[Rule, ...]
    labels: Mapping[str, str]
    selectors: tuple[Selector, ...]


@dataclass(frozen=True, slots=True)
class Binding:
    namespace: str
    name: str
    role_kind: str
    role_name: str
    subjects: tuple[tuple[_Subject, str], ...]
    """Whom it is for, and how messages name them."""

    def describe(self, subject: str) -> str:
        """`ClusterRoleBinding "x" of ClusterRole "y" to User "z"`"""
        kind = "RoleBinding" if self.namespace else "ClusterRoleBinding"
        name = f"{self.name}/{self.namespace}" if self.namespace else self.name
        return f"{kind} {quoted(name)} of {self.role_kind} {quoted(self.role_name)} to {subject}"


@dataclass(frozen=True, slots=True)
class Grant:
    """The rules that one binding gives to one user. `missing` says why they are none."""

    binding: Binding
    subject: str
    rules: tuple[Rule, ...]
    missing: str = ""


class Index:
    def __init__(self) -> None:
        self.generation = 0
        """Grows with every change: what was decided at another generation may no longer hold."""
        self._cluster_roles: dict[str, ClusterRole] = {}
        self._roles: dict[_Key, tuple[Rule, ...]] = {}
        self._bindings: dict[_Key, Binding] = {}
        self._by_subject: dict[tuple[_Subject, str], set[_Key]] = {}
        """(subject, namespace) → bindings: somebody bound in thousands of namespaces costs no more in each."""

    def put(self, kind: str, obj: Object) -> None:
        key = _key(obj)
        match kind:
            case "ClusterRole":
                labels = obj["metadata"].get("labels") or {}
                self._cluster_roles[key[1]] = ClusterRole(key[1], rules_of(obj), labels, selectors_of(obj))
            case "Role":
                self._roles[key] = rules_of(obj)
            case "ClusterRoleBinding" | "RoleBinding":
                self._unbind(key)
                self._bind(key, _binding(key, obj))
            case _:
                return
        self.generation += 1

    def remove(self, kind: str, obj: Object) -> None:
        key = _key(obj)
        match kind:
            case "ClusterRole":
                self._cluster_roles.pop(key[1], None)
            case "Role":
                self._roles.pop(key, None)
            case "ClusterRoleBinding" | "RoleBinding":
                self._unbind(key)
            case _:
                return
        self.generation += 1

    def grants(self, user: User, namespace: str) -> Iterator[Grant]:
        """What the cluster's bindings give to `user`, then (unless "") those of `namespace`, each by name."""
        found: dict[_Key, _Subject] = {}
        for subject in (("User", user.name), *(("Group", group) for group in user.groups)):
            for home in ("", namespace) if namespace else ("",):
                for key in self._by_subject.get((subject, home), ()):
                    found.setdefault(key, subject)
        for key in sorted(found):
            binding = self._bindings[key]
            described = next(text for subject, text in binding.subjects if subject == found[key])
            try:
                yield Grant(binding, described, self.role_rules(binding.role_kind, binding.role_name, key[0]))
            except RoleNotFound as error:
                yield Grant(binding, described, (), str(error))

    def role_rules(self, kind: str, name: str, namespace: str) -> tuple[Rule, ...]:
        """The rules of the role that a binding in `namespace` refers to, aggregated ones computed."""
        if kind == "ClusterRole":
            if role := self._cluster_roles.get(name):
                return aggregated(role.selectors, self._labelled()) if role.selectors else role.rules
            raise RoleNotFound(f"clusterrole.{GROUP} {quoted(name)} not found")
        if kind == "Role":
            rules = self._roles.get((namespace, name))
            if rules is not None:
                return rules
            raise RoleNotFound(f"role.{GROUP} {quoted(name)} not found")
        raise RoleNotFound(f"unsupported role reference kind: {quoted(kind)}")

    def aggregates(self) -> Iterator[tuple[ClusterRole, tuple[Rule, ...]]]:
        """Every ClusterRole with an aggregationRule, and the rules that it should hold."""
        for name in sorted(self._cluster_roles):
            role = self._cluster_roles[name]
            if role.selectors:
                yield role, aggregated(role.selectors, self._labelled())

    def _labelled(self) -> Mapping[str, tuple[Mapping[str, str], tuple[Rule, ...], tuple[Selector, ...]]]:
        return {role.name: (role.labels, role.rules, role.selectors) for role in self._cluster_roles.values()}

    def _bind(self, key: _Key, binding: Binding) -> None:
        self._bindings[key] = binding
        for subject, _ in binding.subjects:
            self._by_subject.setdefault((subject, key[0]), set()).add(key)

    def _unbind(self, key: _Key) -> None:
        if (old := self._bindings.pop(key, None)) is None:
            return
        for subject, _ in old.subjects:
            keys = self._by_subject.get((subject, key[0]), set())
            keys.discard(key)
            if not keys:
                self._by_subject.pop((subject, key[0]), None)


def _key(obj: Object) -> _Key:
    metadata = obj["metadata"]
    return metadata.get("namespace") or "", metadata["name"]


def _binding(key: _Key, obj: Object) -> Binding:
    role = obj.get("roleRef") or {}
    subjects = (_subject(subject, key[0]) for subject in obj.get("subjects") or ())
    return Binding(*key, role.get("kind", ""), role.get("name", ""), tuple(each for each in subjects if each))


def _subject(subject: Mapping[str, Any], namespace: str) -> tuple[_Subject, str] | None:
    kind, name = subject.get("kind", ""), subject.get("name", "")
    if kind in ("User", "Group"):
        return (kind, name), f"{kind} {quoted(name)}"
    home = subject.get("namespace") or namespace
    if kind == "ServiceAccount" and home:
        return ("User", service_account_name(home, name)), f"ServiceAccount {quoted(f'{name}/{home}')}"
    return None
