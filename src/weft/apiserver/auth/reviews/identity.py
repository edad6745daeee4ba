"""Who is it: TokenReview (about a token) and SelfSubjectReview (`kubectl auth whoami`). Pure."""

import datetime

from weft.apiserver.auth.access import Unauthenticated, User
from weft.apiserver.auth.tokens.issuer import Tokens
from weft.apiserver.registry.failures import bad_request
from weft.apiserver.registry.kind import Object

_GROUP = "authentication.k8s.io"


def token_review(body: Object, tokens: Tokens) -> Object:
    spec = body.get("spec") or {}
    if not spec.get("token"):
        raise bad_request("token is required for TokenReview in authentication")
    status: Object
    try:
        verified = tokens.verify(spec["token"], spec.get("audiences") or ())
        status = {"authenticated": True, "user": user_info(verified.user), "audiences": list(verified.audiences)}
    except Unauthenticated as error:
        status = {"user": {}, "error": _error(str(error))}
    return {
        "kind": "TokenReview",
        "apiVersion": f"{_GROUP}/v1",
        "metadata": body.get("metadata") or {},
        "spec": spec,
        "status": status,
    }


def self_subject_review(user: User, now: float) -> Object:
    created = datetime.datetime.fromtimestamp(now, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "kind": "SelfSubjectReview",
        "apiVersion": f"{_GROUP}/v1",
        "metadata": {"creationTimestamp": created},
        "status": {"userInfo": user_info(user)},
    }


def user_info(user: User) -> Object:
    """An authentication.k8s.io UserInfo, without empty fields."""
    found: Object = {
        "username": user.name,
        "uid": user.uid,
        "groups": list(user.groups),
        "extra": {key: list(values) for key, values in user.extra.items()},
    }
    return {key: value for key, value in found.items() if value}


def _error(text: str) -> str:
    # kube-apiserver asks two authenticators, of which one always says this.
    general = "invalid bearer token"
    return text if text == general else f"[{general}, {text}]"
