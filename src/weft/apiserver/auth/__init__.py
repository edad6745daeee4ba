"""Who asks, and what they may do: certificates and tokens, RBAC and nodes, reviews and the roles of a new cluster.

The server builds one `AccessControl` and uses it as Authenticator, Authorizer and Admission plug-in.
"""

from weft.apiserver.auth.access import Attributes, Authenticator, Authorizer, Decision, Unauthenticated, User
from weft.apiserver.auth.bootstrap import bootstrap_objects, reconcile
from weft.apiserver.auth.control import DEFAULT_ISSUER, AccessControl
from weft.apiserver.auth.refusal import refusal
from weft.apiserver.auth.tokens.keys import load_public_key, load_signing_key

__all__ = [
    "DEFAULT_ISSUER",
    "AccessControl",
    "Attributes",
    "Authenticator",
    "Authorizer",
    "Decision",
    "Unauthenticated",
    "User",
    "bootstrap_objects",
    "load_public_key",
    "load_signing_key",
    "reconcile",
    "refusal",
]
