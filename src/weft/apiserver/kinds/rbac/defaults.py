"""Defaults of bindings (pkg/apis/rbac/v1/defaults.go)."""

from weft.apiserver.registry.kind import Object

GROUP = "rbac.authorization.k8s.io"


def default_binding(binding: Object) -> None:
    reference = binding.setdefault("roleRef", {})
    reference["apiGroup"] = reference.get("apiGroup") or GROUP
    for subject in binding.get("subjects") or ():
        if not subject.get("apiGroup") and subject.get("kind") in ("User", "Group"):
            subject["apiGroup"] = GROUP


def default_role(role: Object) -> None:
    role["rules"] = role.get("rules") or []
