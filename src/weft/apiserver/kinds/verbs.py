"""The verbs that resources offer in discovery."""

VERBS = frozenset({"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"})
CREATE_ONLY = frozenset({"create"})
PROXY_VERBS = ("create", "delete", "get", "patch", "update")
