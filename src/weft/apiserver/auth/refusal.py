"""The 403 of the API: who may not do what, in the words of apiserver's responsewriters. Pure."""

from weft.apiserver.auth.access import Attributes, User
from weft.apiserver.registry.kind import quoted
from weft.cluster.errors import ApiError, from_status

# Browsers guess types: what a user named must not look like markup.
_MARKUP = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def refusal(user: User, attributes: Attributes, reason: str = "") -> ApiError:
    """`pods is forbidden: User "x" cannot list resource "pods" in API group "" in the namespace "default"`"""
    said = _sentence(user, attributes).translate(_MARKUP)
    return forbidden(attributes.group, attributes.resource, attributes.name, f"{said}: {reason}" if reason else said)


def forbidden(group: str, plural: str, name: str, why: str) -> ApiError:
    """403 about a resource, about one object of it, or (plural "") about a path."""
    subject = f"{plural}.{group}" if group else plural
    if subject and name:
        subject += f' "{name}"'
    message = f"{subject} is forbidden: {why}" if subject else f"forbidden: {why}"
    details: dict[str, object] = {"name": name, "group": group, "kind": plural}
    return from_status(403, "Forbidden", message, {key: value for key, value in details.items() if value})


def _sentence(user: User, attributes: Attributes) -> str:
    who = f"User {quoted(user.name)} cannot {attributes.verb}"
    if not attributes.resource:
        return f"{who} path {quoted(attributes.path)}"
    resource = attributes.resource + (f"/{attributes.subresource}" if attributes.subresource else "")
    where = f"in the namespace {quoted(attributes.namespace)}" if attributes.namespace else "at the cluster scope"
    return f"{who} resource {quoted(resource)} in API group {quoted(attributes.group)} {where}"
