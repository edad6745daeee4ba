"""Nobody grants what they do not hold ("Privilege escalation prevention and bootstrapping"). Pure."""

from weft.apiserver.auth.access import Attributes, Authorizer, User
from weft.apiserver.auth.identity import MASTERS
from weft.apiserver.auth.rbac.authorizer import RbacAuthorizer, aggregate
from weft.apiserver.auth.rbac.index import GROUP, RoleNotFound
from weft.apiserver.auth.rbac.rule import ALL, Rule, compact, go_list, not_covered, rules_of
from weft.apiserver.auth.refusal import forbidden
from weft.apiserver.registry.kind import Object, quoted
from weft.cluster.errors import from_status

_EVERYTHING = (Rule((ALL,), (ALL,), (ALL,)), Rule((ALL,), urls=(ALL,)))
_PLURALS = {
    "Role": "roles",
    "ClusterRole": "clusterroles",
    "RoleBinding": "rolebindings",
    "ClusterRoleBinding": "clusterrolebindings",
}


class EscalationGuard:
    """`authorizer` answers for the verbs escalate and bind, `rbac` knows the rules that a user holds."""

    def __init__(self, authorizer: Authorizer, rbac: RbacAuthorizer) -> None:
        self._authorizer = authorizer
        self._rbac = rbac

    def check(self, user: User, kind: str, new: Object, old: Object | None, namespace: str) -> None:
        """Raises Forbidden (or NotFound, for a binding's role) unless `user` may write `new` over `old`."""
        if kind not in _PLURALS or MASTERS in user.groups or (old is not None and _same_but_owners(new, old)):
            return
        if kind in ("Role", "ClusterRole"):
            self._check_role(user, kind, new, old, namespace)
        else:
            self._check_binding(user, kind, new, namespace)

    def _check_role(self, user: User, kind: str, new: Object, old: Object | None, namespace: str) -> None:
        plural, name = _PLURALS[kind], new["metadata"].get("name", "")
        # A role that is about to be created has no name yet as far as authorization is concerned.
        asked = Attributes("escalate", GROUP, ALL, plural, namespace=namespace, name=name if old else "")
        if self._authorizer.authorize(user, asked).allowed:
            return
        if missing := self._missing(user, rules_of(new), namespace):
            raise forbidden(GROUP, plural, name, missing)
        gathers = any(role and (role.get("aggregationRule") or {}).get("clusterRoleSelectors") for role in (new, old))
        if gathers and self._missing(user, _EVERYTHING, namespace):
            raise forbidden(GROUP, plural, name, "must have cluster-admin privileges to use the aggregationRule")

    def _check_binding(self, user: User, kind: str, new: Object, namespace: str) -> None:
        role = new.get("roleRef") or {}
        role_kind, role_name = role.get("kind", ""), role.get("name", "")
        if role_kind in ("Role", "ClusterRole"):
            group = role.get("apiGroup", GROUP)
            asked = Attributes("bind", group, ALL, _PLURALS[role_kind], namespace=namespace, name=role_name)
            if self._authorizer.authorize(user, asked).allowed:
                return
        try:
            rules = self._rbac.index.role_rules(role_kind, role_name, namespace)
        except RoleNotFound:
            # kube-apiserver says it of the binding, though it is the role that is missing.
            details: dict[str, object] = {"name": role_name, "group": GROUP, "kind": _PLURALS[kind]}
            message = f"{_PLURALS[kind]}.{GROUP} {quoted(role_name)} not found"
            raise from_status(404, "NotFound", message, details) from None
        if missing := self._missing(user, rules, namespace):
            raise forbidden(GROUP, _PLURALS[kind], new["metadata"].get("name", ""), missing)

    def _missing(self, user: User, wanted: tuple[Rule, ...], namespace: str) -> str:
        """Why `user` may not grant `wanted`; "" if they hold it all."""
        held, errors = self._rbac.rules(user, namespace)
        atoms = not_covered(held, wanted)
        if not atoms:
            return ""
        lines = sorted({rule.text() for rule in compact(atoms)})
        text = (
            f"user {quoted(user.name)} (groups={go_list(user.groups)}) is attempting to grant RBAC permissions "
            "not currently held:\n" + "\n".join(lines)
        )
        return f"{text}; resolution errors: [{aggregate(errors)}]" if errors else text


def _same_but_owners(new: Object, old: Object) -> bool:
    """Whether only what garbage collection needs has changed: owners and finalizers."""
    return _without_owners(new) == _without_owners(old)


def _without_owners(obj: Object) -> Object:
    passed = ("ownerReferences", "finalizers", "managedFields", "resourceVersion")
    metadata = {key: value for key, value in obj["metadata"].items() if key not in passed}
    return {**obj, "metadata": metadata}
