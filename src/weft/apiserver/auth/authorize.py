"""All authorizers in order: superusers, nodes, RBAC ("Authorization"). The first that allows decides. Pure."""

from weft.apiserver.auth.access import Attributes, Decision, User
from weft.apiserver.auth.identity import MASTERS, node_of
from weft.apiserver.auth.node.authorizer import NodeAuthorizer
from weft.apiserver.auth.rbac.authorizer import RbacAuthorizer
from weft.apiserver.auth.rbac.rule import Rule

_SUPERUSER = Decision(True)


class ServerAuthorizer:
    def __init__(self, node: NodeAuthorizer, rbac: RbacAuthorizer) -> None:
        self.node = node
        self.rbac = rbac

    def authorize(self, user: User, attributes: Attributes) -> Decision:
        if MASTERS in user.groups:
            return _SUPERUSER
        decision = self.rbac.authorize(user, attributes)
        if decision.allowed or node_of(user) is None:
            return decision
        of_node = self.node.authorize(user, attributes)
        if of_node.allowed:
            return of_node
        return Decision(False, "\n".join(reason for reason in (of_node.reason, decision.reason) if reason))

    def rules(self, user: User, namespace: str) -> tuple[list[Rule], list[str], bool]:
        """What RBAC gives to `user` in `namespace`, what could not be resolved, and whether there may be more."""
        rules, errors = self.rbac.rules(user, namespace)
        if node_of(user) is None:
            return rules, errors, False
        return rules, ["node authorizer does not support user rule resolution", *errors], True
