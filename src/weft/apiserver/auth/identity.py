"""Names that Kubernetes reserves for users and groups ("Authenticating", "User impersonation"). Pure."""

from collections.abc import Iterable

from weft.apiserver.auth.access import User

ANONYMOUS = "system:anonymous"
AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
MASTERS = "system:masters"
"""Members are never asked for a permission."""
NODES = "system:nodes"
SERVICE_ACCOUNTS = "system:serviceaccounts"

CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"
POD_NAME = "authentication.kubernetes.io/pod-name"
POD_UID = "authentication.kubernetes.io/pod-uid"
NODE_NAME = "authentication.kubernetes.io/node-name"
NODE_UID = "authentication.kubernetes.io/node-uid"

_SERVICE_ACCOUNT = "system:serviceaccount:"
_NODE = "system:node:"

ANONYMOUS_USER = User(ANONYMOUS, groups=(UNAUTHENTICATED,))


def service_account_name(namespace: str, name: str) -> str:
    """`system:serviceaccount:kube-system:coredns`"""
    return f"{_SERVICE_ACCOUNT}{namespace}:{name}"


def service_account_groups(namespace: str) -> tuple[str, ...]:
    return SERVICE_ACCOUNTS, f"{SERVICE_ACCOUNTS}:{namespace}"


def service_account_of(username: str) -> tuple[str, str] | None:
    """(namespace, name) of a ServiceAccount's username, None for any other user."""
    if not username.startswith(_SERVICE_ACCOUNT):
        return None
    namespace, colon, name = username.removeprefix(_SERVICE_ACCOUNT).partition(":")
    return (namespace, name) if colon and namespace and name and ":" not in name else None


def node_of(user: User) -> str | None:
    """The node that `user` is, "" for a node without a name, None for any other user."""
    if not user.name.startswith(_NODE) or NODES not in user.groups:
        return None
    return user.name.removeprefix(_NODE)


def with_authenticated(groups: Iterable[str]) -> tuple[str, ...]:
    found = tuple(groups)
    return found if AUTHENTICATED in found or UNAUTHENTICATED in found else (*found, AUTHENTICATED)
