"""Builders of RBAC objects and an AccessControl that is fed by hand."""

from collections.abc import Iterable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from weft.apiserver.auth import AccessControl, Attributes, User, bootstrap_objects
from weft.apiserver.auth.tokens.keys import SigningKey, load_signing_key
from weft.apiserver.kinds import KINDS
from weft.apiserver.registry.admission import Context
from weft.apiserver.registry.kind import Kind, Object
from weft.cluster.objects.resource import Resource
from weft.lab.pki.certificates import private_pem

GROUP = "rbac.authorization.k8s.io"
KIND_OF = {kind.resource.kind: kind for kind in KINDS if kind.resource.kind != "Event"}


class Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Objects:
    """A Reader that is a dict."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str, str], Object] = {}

    def get(self, resource: Resource, name: str, namespace: str = "") -> Object | None:
        return self.found.get((resource.plural, namespace, name))

    def list(self, resource: Resource, namespace: str = "") -> Iterable[Object]:
        return iter([obj for key, obj in self.found.items() if key[0] == resource.plural])


class Server:
    """AccessControl with the registry's part played by the test."""

    def __init__(self, signing: SigningKey, now: float = 1_700_000_000) -> None:
        self.clock = Clock(now)
        self.control = AccessControl(signing, clock=self.clock)
        self.reader = Objects()

    def put(self, *objects: Object) -> None:
        for obj in objects:
            kind = KIND_OF[obj["kind"]]
            key = (kind.resource.plural, obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
            self.control.applied(kind, self.reader.found.get(key), obj)
            self.reader.found[key] = obj

    def remove(self, obj: Object) -> None:
        kind = KIND_OF[obj["kind"]]
        del self.reader.found[(kind.resource.plural, obj["metadata"].get("namespace", ""), obj["metadata"]["name"])]
        self.control.applied(kind, obj, None)

    def create(self, user: User, obj: Object, subresource: str = "") -> None:
        self.control.admit_create(kind_of(obj), obj, self.context(user, subresource))

    def update(self, user: User, new: Object, old: Object, subresource: str = "") -> None:
        self.control.admit_update(kind_of(new), new, old, self.context(user, subresource))

    def delete(self, user: User, old: Object) -> None:
        self.control.admit_delete(kind_of(old), old, self.context(user))

    def context(self, user: User, subresource: str = "") -> Context:
        return Context(user, self.reader, subresource=subresource)  # type: ignore[arg-type]

    def may(self, user: User, verb: str, resource: str, **more: Any) -> bool:
        plural, _, subresource = resource.partition("/")
        asked = Attributes(verb, resource=plural, subresource=subresource, **more)
        return self.control.authorize(user, asked).allowed


def kind_of(obj: Object) -> Kind:
    return KIND_OF[obj["kind"]]


def rule(verbs: str, resources: str = "", groups: tuple[str, ...] = ("",), names: str = "", urls: str = "") -> Object:
    found: Object = {"verbs": verbs.split()}
    if urls:
        return {**found, "nonResourceURLs": urls.split()}
    found |= {"apiGroups": list(groups), "resources": resources.split()}
    return {**found, "resourceNames": names.split()} if names else found


def role(name: str, *rules: Object, namespace: str = "", labels: dict[str, str] | None = None) -> Object:
    metadata: Object = {"name": name, "labels": labels or {}}
    if namespace:
        metadata["namespace"] = namespace
    return {"kind": "Role" if namespace else "ClusterRole", "metadata": metadata, "rules": list(rules)}


def binding(name: str, role_name: str, *subjects: str, namespace: str = "", role_kind: str = "ClusterRole") -> Object:
    """Subjects as `User:bob`, `Group:devs`, `ServiceAccount:ns/name`."""
    found = []
    for subject in subjects:
        kind, _, who = subject.partition(":")
        if kind == "ServiceAccount":
            home, _, account = who.rpartition("/")
            found.append({"kind": kind, "name": account, **({"namespace": home} if home else {})})
        else:
            found.append({"kind": kind, "name": who, "apiGroup": GROUP})
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": GROUP, "kind": role_kind, "name": role_name},
        "subjects": found,
    }


def service_account(namespace: str, name: str, uid: str) -> Object:
    return {"kind": "ServiceAccount", "metadata": {"namespace": namespace, "name": name, "uid": uid}}


def pod(name: str, node: str = "node1", namespace: str = "default", uid: str = "pod-uid", **spec: Any) -> Object:
    return {
        "kind": "Pod",
        "metadata": {"namespace": namespace, "name": name, "uid": uid},
        "spec": {"nodeName": node, "serviceAccountName": "default", **spec},
    }


def person(name: str, *groups: str) -> User:
    return User(name, groups=(*groups, "system:authenticated"))


def node_user(name: str) -> User:
    return User(f"system:node:{name}", groups=("system:nodes", "system:authenticated"))


@pytest.fixture(scope="session")
def signing() -> SigningKey:
    return load_signing_key(private_pem(ec.generate_private_key(ec.SECP256R1())))


@pytest.fixture
def server(signing: SigningKey) -> Server:
    return Server(signing)


@pytest.fixture
def booted(signing: SigningKey) -> Server:
    """With the roles of a new cluster."""
    made = Server(signing)
    made.put(*bootstrap_objects())
    return made
