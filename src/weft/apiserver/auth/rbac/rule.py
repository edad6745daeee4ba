"""A PolicyRule as a value: what it allows, what it covers, and how it is written ("Using RBAC Authorization"). Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weft.apiserver.auth.access import Attributes
from weft.apiserver.registry.kind import Object, quoted

ALL = "*"


@dataclass(frozen=True, slots=True)
class Rule:
    verbs: tuple[str, ...]
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    """`pods`, `pods/log`, `*/scale`, `*`"""
    names: tuple[str, ...] = ()
    """Empty means every name; otherwise requests without a name (list, create) are not allowed."""
    urls: tuple[str, ...] = ()
    """`/healthz`, `/apis/*`, `*`"""

    def allows(self, attributes: Attributes) -> bool:
        if attributes.resource:
            return self.allows_resource(
                attributes.verb, attributes.group, attributes.resource, attributes.subresource
            ) and (not self.names or attributes.name in self.names)
        return self.allows_path(attributes.verb, attributes.path)

    def allows_resource(self, verb: str, group: str, resource: str, subresource: str) -> bool:
        """Whatever the object's name is; `names` is the caller's to look at."""
        if not (_has(self.verbs, verb) and _has(self.groups, group)):
            return False
        if ALL in self.resources:
            return True
        if not subresource:
            return resource in self.resources
        return f"{resource}/{subresource}" in self.resources or f"*/{subresource}" in self.resources

    def allows_path(self, verb: str, path: str) -> bool:
        return _has(self.verbs, verb) and any(_url_covers(url, path) for url in self.urls)

    def covers(self, atom: "Rule") -> bool:
        """Whether everything that `atom` allows is allowed by this rule alone."""
        if not _has_all(self.verbs, atom.verbs) or not _has_all(self.groups, atom.groups):
            return False
        if not all(self._covers_resource(resource) for resource in atom.resources):
            return False
        if not all(any(_url_covers(url, path) for url in self.urls) for path in atom.urls):
            return False
        return not self.names or (bool(atom.names) and set(atom.names) <= set(self.names))

    def _covers_resource(self, resource: str) -> bool:
        if ALL in self.resources or resource in self.resources:
            return True
        _, slash, subresource = resource.partition("/")
        return bool(slash) and f"*/{subresource}" in self.resources

    def atoms(self) -> Iterator["Rule"]:
        """Rules of one verb, group, resource and name (or one URL) each, which together allow the same."""
        for group in self.groups:
            for resource in self.resources:
                for verb in self.verbs:
                    for name in self.names or ("",):
                        yield Rule((verb,), (group,), (resource,), (name,) if self.names else ())
        for url in self.urls:
            for verb in self.verbs:
                yield Rule((verb,), urls=(url,))

    def text(self) -> str:
        """`{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}`, as escalation messages show rules."""
        parts = {
            "APIGroups": self.groups,
            "Resources": self.resources,
            "NonResourceURLs": self.urls,
            "ResourceNames": self.names,
            "Verbs": self.verbs,
        }
        return "{" + ", ".join(f"{key}:{go_list(values)}" for key, values in parts.items() if values) + "}"


def go_list(values: Iterable[str]) -> str:
    """A list of strings as Go's %q prints it."""
    return "[" + " ".join(quoted(value) for value in values) + "]"


def rules_of(role: Object) -> tuple[Rule, ...]:
    """The rules of a Role or ClusterRole; fields that are missing or null are empty."""
    return tuple(parse(rule) for rule in role.get("rules") or ())


def parse(rule: Mapping[str, Any]) -> Rule:
    return Rule(
        tuple(rule.get("verbs") or ()),
        tuple(rule.get("apiGroups") or ()),
        tuple(rule.get("resources") or ()),
        tuple(rule.get("resourceNames") or ()),
        tuple(rule.get("nonResourceURLs") or ()),
    )


def render(rule: Rule) -> Object:
    """The PolicyRule object, without empty fields."""
    fields = {
        "apiGroups": rule.groups,
        "resourceNames": rule.names,
        "resources": rule.resources,
        "nonResourceURLs": rule.urls,
        "verbs": rule.verbs,
    }
    return {key: list(values) for key, values in fields.items() if values}


def not_covered(owner: Sequence[Rule], wanted: Iterable[Rule]) -> list[Rule]:
    """The atoms of `wanted` that no rule of `owner` covers."""
    return [atom for rule in wanted for atom in rule.atoms() if not any(held.covers(atom) for held in owner)]


def compact(atoms: Iterable[Rule]) -> list[Rule]:
    """Atoms about the same resource and name as one rule with all their verbs."""
    verbs: dict[Rule, list[str]] = {}
    for atom in atoms:
        verbs.setdefault(Rule((), atom.groups, atom.resources, atom.names, atom.urls), []).extend(atom.verbs)
    found: list[Rule] = []
    for key, collected in verbs.items():
        joined = [tuple(collected)] if key.resources else [(verb,) for verb in collected]
        found += [Rule(each, key.groups, key.resources, key.names, key.urls) for each in joined]
    return found


def _has(values: Sequence[str], value: str) -> bool:
    return value in values or ALL in values


def _has_all(values: Sequence[str], wanted: Sequence[str]) -> bool:
    return ALL in values or all(value in values for value in wanted)


def _url_covers(url: str, path: str) -> bool:
    return url == path or (url.endswith(ALL) and path.startswith(url.rstrip(ALL)))
