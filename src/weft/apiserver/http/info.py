"""What a request asks for, read from its method, path and query alone (apiserver's RequestInfo). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from weft.apiserver.auth.access import Attributes
from weft.apiserver.selectors import parse_fields

_VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_NAMESPACE_SUBRESOURCES = ("status", "finalize")
_REST_OF_PATH = "proxy"
"""The one subresource that has a path of its own behind it."""


@dataclass(frozen=True, slots=True)
class RequestInfo:
    verb: str
    path: str
    resource: str = ""
    """The plural; "" for paths that are no resource's."""
    group: str = ""
    version: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    proxied_from: int = 0
    """The number of path segments up to and with `proxy`: what follows is for the one behind."""
    named_by_path: bool = False
    """The name stands in the path, not only in a field selector."""
    selected: tuple[tuple[str, str], ...] = ()
    """`field=value` requirements of the field selector."""

    @property
    def is_resource(self) -> bool:
        return bool(self.resource)

    def attributes(self) -> Attributes:
        if not self.is_resource:
            return Attributes(self.verb, path=self.path)
        return Attributes(
            self.verb,
            self.group,
            self.version,
            self.resource,
            self.subresource,
            self.namespace,
            self.name,
            self.path,
            self.selected,
        )


def parse(method: str, path: str, query: Mapping[str, str]) -> RequestInfo:
    """`path` is decoded. Whether anything is served there is not asked here."""
    plain = RequestInfo(method.lower(), path)
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) > 2:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return plain
    verb = _VERBS.get(method, method.lower())
    if rest[0] == "watch" and len(rest) > 1:  # the deprecated form of ?watch=true
        verb, rest = "watch", rest[1:]
    namespace, rest = _namespace(rest)
    resource, name, subresource = rest[0], "".join(rest[1:2]), "".join(rest[2:3])
    proxied = len(parts) - len(rest) + 3 if subresource == _REST_OF_PATH else 0
    if subresource != _REST_OF_PATH and len(rest) > 3:
        return plain
    named = bool(name)
    selected: tuple[tuple[str, str], ...] = ()
    if not named:
        verb = _collective(verb, query)
        if verb in ("list", "watch", "deletecollection"):
            selected = _selected(query)
            name = dict(selected).get("metadata.name", "")
    return RequestInfo(verb, path, resource, group, version, namespace, name, subresource, proxied, named, selected)


def _namespace(rest: list[str]) -> tuple[str, list[str]]:
    """`namespaces/NAME` alone is the Namespace itself, and belongs to itself as kube-apiserver authorizes it."""
    if rest[0] != "namespaces" or len(rest) < 2:
        return "", rest
    if len(rest) > 2 and rest[2] not in _NAMESPACE_SUBRESOURCES:
        return rest[1], rest[2:]
    return rest[1], rest


def _collective(verb: str, query: Mapping[str, str]) -> str:
    if verb == "get":
        return "watch" if query.get("watch") in ("true", "1") else "list"
    return "deletecollection" if verb == "delete" else verb


def _selected(query: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What does not parse is refused later, by whoever serves it."""
    try:
        requirements = parse_fields(query.get("fieldSelector", "")).requirements
    except ValueError:
        return ()
    return tuple((each.field, each.value) for each in requirements if each.equal)
