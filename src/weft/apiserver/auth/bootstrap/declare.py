"""Short words for roles and bindings. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from weft.apiserver.auth.rbac.index import GROUP
from weft.apiserver.auth.rbac.rule import Rule, render
from weft.apiserver.registry.kind import Object

CORE = ""
APPS = "apps"
AUTHENTICATION = "authentication.k8s.io"
AUTHORIZATION = "authorization.k8s.io"
AUTOSCALING = "autoscaling"
BATCH = "batch"
CERTIFICATES = "certificates.k8s.io"
COORDINATION = "coordination.k8s.io"
DISCOVERY = "discovery.k8s.io"
EVENTS = "events.k8s.io"
EXTENSIONS = "extensions"
NETWORKING = "networking.k8s.io"
POLICY = "policy"
RBAC = GROUP
RESOURCE = "resource.k8s.io"
SCHEDULING = "scheduling.k8s.io"
STORAGE = "storage.k8s.io"

READ = "get list watch"
WRITE = "create update patch delete deletecollection"

Subject = tuple[str, str, str]
"""(User | Group | ServiceAccount, name, namespace of a ServiceAccount)"""


@dataclass(frozen=True, slots=True)
class Role:
    """A ClusterRole, or with a `namespace` a Role; `gathers` names the label that it aggregates by, `given` the label
    by which it is aggregated: admin, edit or view."""

    name: str
    rules: tuple[Rule, ...] = ()
    namespace: str = ""
    gathers: str = ""
    given: str = ""


@dataclass(frozen=True, slots=True)
class Bound:
    """A binding of the role of the same name, or of `role`."""

    name: str
    subjects: tuple[Subject, ...] = ()
    role: str = ""
    namespace: str = ""
    role_kind: str = field(default="")


def may(verbs: str, resources: str, *groups: str, names: str = "") -> Rule:
    """`may("get list", "pods pods/log")`; the core group where none is named."""
    return Rule(tuple(verbs.split()), groups or (CORE,), tuple(resources.split()), tuple(names.split()))


def may_path(verbs: str, urls: str) -> Rule:
    return Rule(tuple(verbs.split()), urls=tuple(urls.split()))


RECORD_EVENTS = may("create update patch", "events", CORE, EVENTS)


def user(name: str) -> Subject:
    return "User", name, ""


def group(name: str) -> Subject:
    return "Group", name, ""


def account(namespace: str, name: str) -> Subject:
    return "ServiceAccount", name, namespace


def role_object(role: Role, rules: Iterable[Rule] | None = None) -> Object:
    kind = "Role" if role.namespace else "ClusterRole"
    made = _object(kind, role.name, role.namespace)
    if role.given:
        made["metadata"]["labels"][f"{GROUP}/aggregate-to-{role.given}"] = "true"
    if role.gathers:
        labels = {f"{GROUP}/aggregate-to-{role.gathers}": "true"}
        made["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": labels}]}
    made["rules"] = [render(rule) for rule in (role.rules if rules is None else rules)]
    return made


def binding_object(bound: Bound) -> Object:
    kind = "RoleBinding" if bound.namespace else "ClusterRoleBinding"
    made = _object(kind, bound.name, bound.namespace)
    role_kind = bound.role_kind or ("Role" if bound.namespace else "ClusterRole")
    made["roleRef"] = {"apiGroup": GROUP, "kind": role_kind, "name": bound.role or bound.name}
    if bound.subjects:
        made["subjects"] = [_subject(subject) for subject in bound.subjects]
    return made


def _subject(subject: Subject) -> Object:
    kind, name, namespace = subject
    if kind == "ServiceAccount":
        return {"kind": kind, "name": name, "namespace": namespace}
    return {"apiGroup": GROUP, "kind": kind, "name": name}


def _object(kind: str, name: str, namespace: str) -> Object:
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": kind,
        "metadata": {
            "name": name,
            **({"namespace": namespace} if namespace else {}),
            "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
            "annotations": {f"{GROUP}/autoupdate": "true"},
        },
    }
